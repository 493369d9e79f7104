package cli

import (
	"os"
	"strings"
	"testing"
)

func TestNormalise(t *testing.T) {
	for in, want := range map[string]string{
		"build -tags x -o out ./p":         "build --tags x -o out ./p",
		"build -ldflags=-s -trimpath .":    "build --ldflags=-s --trimpath .",
		"build -ldflags -w -v":             "build --ldflags -w -v",
		"test -json ./p -- -run X -json":   "test --json ./p -- -run X -json",
		"run --cpus 4 -memory 1G .":        "run --cpus 4 --memory 1G .",
		"run -env -tags .":                 "run --env -tags .",
		"build -o -tags .":                 "build -o -tags .",
		"run -nonsense .":                  "run -nonsense .",
		"build -gcflags all=-N -race -p 2": "build --gcflags all=-N --race -p 2",
		"inspect -json x":                  "inspect --json x",
		"build -":                          "build -",
	} {
		a := &app{stderr: os.Stderr}
		if got := strings.Join(normalise(a.root(), strings.Fields(in)), " "); got != want {
			t.Errorf("%s\ngot  %s\nwant %s", in, got, want)
		}
	}
}
