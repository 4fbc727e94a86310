package alert

func crash() {}
