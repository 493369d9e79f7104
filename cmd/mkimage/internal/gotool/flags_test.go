package gotool

import (
	"reflect"
	"strings"
	"testing"
)

func TestWithEnv(t *testing.T) {
	got, err := Flags{"-tags=b", "-trimpath=true"}.WithEnv(`-tags=a -buildvcs=false '-ldflags=-s -w'`)
	want := Flags{"-buildvcs=false", "-ldflags=-s -w", "-tags=b", "-trimpath=true"}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %q, %v; want %q", got, err, want)
	}
	if _, err := (Flags{}).WithEnv(`-ldflags='x`); err != nil {
		t.Errorf("a quote inside a field: %v", err)
	}
	if _, err := (Flags{}).WithEnv(`'-ldflags=x`); err == nil {
		t.Error("an open quote was accepted")
	}
}

func TestAddTags(t *testing.T) {
	for in, want := range map[string]string{"": "-tags=x", "a,b": "-tags=a,b,x", "a b": "-tags=a,b,x"} {
		got := Flags{"-tags=" + in}.AddTags("x")
		if len(got) != 1 || got[0] != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}

func TestAddPerPackage(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"", "-ldflags=ours"},
		{"-ldflags=-s -w", "-ldflags=ours|-ldflags=-s -w ours"},
		{"-ldflags=", "-ldflags=ours|-ldflags=ours"},
		{"-ldflags=example.com/...=-s", "-ldflags=ours|-ldflags=example.com/...=-s ours"},
		{"-ldflags=all=", "-ldflags=ours|-ldflags=all=ours"},
		{"-ldflags=-X 'main.v=a b'|-x=true|-ldflags=p=-w", "-x=true|-ldflags=ours|-ldflags=-X 'main.v=a b' ours|-ldflags=p=-w ours"},
	} {
		var in Flags
		if c.in != "" {
			in = strings.Split(c.in, "|")
		}
		if got := strings.Join(in.AddPerPackage("ldflags", "ours"), "|"); got != c.want {
			t.Errorf("%q:\ngot  %s\nwant %s", c.in, got, c.want)
		}
	}
}

func TestEnviron(t *testing.T) {
	t.Setenv("A_TEST_VARIABLE", "old")
	n := 0
	for _, e := range Environ("A_TEST_VARIABLE=new") {
		if strings.HasPrefix(e, "A_TEST_VARIABLE=") {
			n++
			if e != "A_TEST_VARIABLE=new" {
				t.Error(e)
			}
		}
		if strings.HasPrefix(e, "PWD=") {
			t.Error(e)
		}
	}
	if n != 1 {
		t.Errorf("set %d times", n)
	}
}
