package inspect

import "github.com/clawsonar/clawsonar/internal/deploy"

func (s *source) dockerRun(kind deploy.Kind, words []deploy.Value, env lookup) {}
