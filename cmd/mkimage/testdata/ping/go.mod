module example.com/ping

go 1.26.0

require golang.org/x/net v0.60.0

require golang.org/x/sys v0.48.0 // indirect
