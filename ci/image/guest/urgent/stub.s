// It lets main_unsafe.go declare a function without a body.
