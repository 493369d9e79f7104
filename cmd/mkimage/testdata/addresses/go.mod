module example.com/addresses

go 1.26.0
