// goroutine.go declares functions without a body, which needs a file of assembly.
