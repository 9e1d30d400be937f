// The program whose stack trace the test reads with the file of short names.
package main

import (
	"fmt"
	"os"
	"runtime/debug"
)

type list []int

//go:noinline
func (l list) get(i int) int {
	defer func() {
		if recover() != nil {
			fmt.Println(string(debug.Stack()))
		}
	}()
	return l[i]
}

func main() { list{}.get(len(os.Args)) }
