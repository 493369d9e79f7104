module example.com/mapped

go 1.26.0
