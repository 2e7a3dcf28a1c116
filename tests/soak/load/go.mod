module promfence.invalid/load

go 1.25
