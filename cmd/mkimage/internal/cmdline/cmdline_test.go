package cmdline

import "testing"

func TestLine(t *testing.T) {
	var l Line
	l.Add("name", "hello")
	l.Program([]string{"a b", "", `q"\`, "é"}, []string{"A=B", "C=d e"})
	want := `name=hello arg="a b" arg="" arg="q\"\\" arg="é" env=A=B env="C=d e"`
	if got := l.String(); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestValue(t *testing.T) {
	var l Line
	want := map[string]string{"name": "hello", "disks": `label=my "data\:/a;0:/b,ro`, "arg": "", "env": "A=B = c"}
	l.Add("arg", "disks=of an argument disks=x")
	for _, key := range []string{"name", "disks", "arg", "env"} {
		l.Add(key, want[key])
	}
	for key, want := range want {
		if got := Value(l.String(), key); got != want {
			t.Errorf("%s: %q, want %q", key, got, want)
		}
	}
	if got := Value(l.String(), "label") + Value("", "x"); got != "" {
		t.Errorf("%q", got)
	}
}

func TestCheck(t *testing.T) {
	if err := Check([]string{"a"}, []string{"A=", "B=1=2"}); err != nil {
		t.Error(err)
	}
	for _, env := range []string{"A", "=x", "A=\x00"} {
		if Check(nil, []string{env}) == nil {
			t.Errorf("%q was accepted", env)
		}
	}
	if Check([]string{"a\x00"}, nil) == nil {
		t.Error("an argument with a NUL was accepted")
	}
}
