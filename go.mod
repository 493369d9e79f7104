module github.com/hardtack-os/hardtack

go 1.26
