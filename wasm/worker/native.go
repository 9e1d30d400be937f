//go:build !js

// Outside a Worker the program only says how it is meant to be built.

package main

import (
	"fmt"
	"os"
)

func main() {
	fmt.Fprintln(os.Stderr, "wasm/worker runs in a Durable Object: make worker builds it")
	os.Exit(2)
}
