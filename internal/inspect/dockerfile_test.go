package inspect

import "testing"

func TestDockerfile(t *testing.T) { modelGoldens(t, "dockerfile", dockerfileReader()) }

func FuzzDockerfile(f *testing.F) {
	f.Add("# escape=`\nARG V=1\nFROM node:${V} AS a\nRUN npm i -g openclaw@2026.9.6 `\n # c\n && x\nCOPY <<E /openclaw.json\n{}\nE\nFROM a\nCOPY --from=a / /x\nUSER root\nCMD [\"openclaw\", \"gateway\"]\n")
	f.Add("FROM x\nENV A b\nENV OPENCLAW_GATEWAY_TOKEN=\"t\" C=$A\nCOPY . .\nENTRYPOINT exec openclaw gateway --token $A\n")
	f.Fuzz(func(t *testing.T, text string) {
		files := map[string]string{"Dockerfile": text, ".dockerignore": text, ".env": text, "start.sh": text}
		checkPlaces(t, readModel(files, dockerfileReader()), files)
	})
}
