package exo

import "testing"

func TestSetting(t *testing.T) {
	line := `name=app arg="ip=no a" arg=ip=no ip=10.0.2.15/24,gw=10.0.2.2 x="a \"b\" \\c" ip=dhcp empty= flag env=A="b c"`
	for name, want := range map[string]string{"name": "app", "ip": "dhcp", "x": `a "b" \c`, "empty": "", "env": "A=b c"} {
		if got, ok := setting(line, name); got != want || !ok {
			t.Errorf("%s: %q, %v", name, got, ok)
		}
	}
	for _, name := range []string{"flag", "none", "a"} {
		if got, ok := setting(line, name); ok {
			t.Errorf("%s: %q", name, got)
		}
	}
}

func FuzzSetting(f *testing.F) {
	f.Add(`a=b "c=d\`, "c")
	f.Fuzz(func(t *testing.T, line, name string) { setting(line, name) })
}
