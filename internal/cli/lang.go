package cli

import (
	"cmp"
	"os"
	"strings"

	"github.com/clawsonar/clawsonar/internal/report"
)

// langOption is the flag of every command that prints prose.
type langOption struct{ lang string }

func (o *langOption) flag(f *flags, usage string) *option {
	return f.choice(&o.lang, "lang", "", "LANG", "", usage+": "+strings.Join(report.Languages(), " or ")+" (default: that of the locale)", report.Languages())
}

// language is what was asked for, else that of the locale.
func (o *langOption) language() string { return cmp.Or(o.lang, localeLanguage(os.LookupEnv)) }

// texts are the texts of that language.
func (o *langOption) texts() (report.Texts, error) { return report.NewTexts(o.language()) }

// localeLanguage is the language of messages (POSIX, Base Definitions, section
// 8.2: the first variable that is set and not empty counts), if the reports have
// it and the locale can show it. They are written in UTF-8.
func localeLanguage(getenv func(string) (string, bool)) string {
	for _, name := range []string{"LC_ALL", "LC_MESSAGES", "LANG"} {
		locale, _ := getenv(name)
		if locale == "" {
			continue
		}
		language, charset, ok := strings.Cut(strings.ToLower(locale), ".")
		charset, _, _ = strings.Cut(charset, "@")
		language, _, _ = strings.Cut(language, "@")
		language, _, _ = strings.Cut(language, "_")
		if language == "zh" && (!ok || strings.ReplaceAll(charset, "-", "") == "utf8") {
			return "zh"
		}
		return "en"
	}
	return "en"
}
