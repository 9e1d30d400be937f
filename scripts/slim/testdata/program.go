// The program that the test runs as the linker made it and slimmed: what slim
// rewrites, with the garbage collector at work.
package main

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"sort"
	"strings"
	"sync"
)

type node struct {
	left, right *node
	value       int
	name        string
}

func (n *node) insert(v int) *node {
	if n == nil {
		return &node{value: v, name: fmt.Sprint("n", v)}
	}
	switch {
	case v < n.value:
		n.left = n.left.insert(v)
	case v > n.value:
		n.right = n.right.insert(v)
	default:
		n.name += "!"
	}
	return n
}

func (n *node) walk(f func(*node)) {
	if n != nil {
		n.left.walk(f)
		f(n)
		n.right.walk(f)
	}
}

type shape interface{ area() float64 }

type square struct{ side float64 }

func (s square) area() float64 { return s.side * s.side }

// try says how f panics.
func try(name string, f func()) {
	defer func() {
		r := recover()
		var re runtime.Error
		err, _ := r.(error)
		fmt.Printf("%s: %v (runtime error: %v)\n", name, r, errors.As(err, &re))
	}()
	f()
}

// deep grows the stack, and with it moves it.
func deep(n int, p *int) int {
	var pad [64]int
	pad[n%64] = n
	if n == 0 {
		return *p
	}
	return deep(n-1, p) + pad[n%64] - n
}

func conditions(a, b int, x, y float64, u uint8) (out []string) {
	add := func(name string, c bool) {
		if c {
			out = append(out, name)
		}
	}
	add("a<b", a < b)
	add("!(a<b)", !(a < b))
	add("x<y", x < y)
	add("!(x<y)", !(x < y))
	add("!(x>=y)", !(x >= y))
	add("x==y", x == y)
	add("!(x==y)", !(x == y))
	add("u>7", u > 7)
	add("mixed", (a < b) != !(x < y) && !(u == 3))
	for i := 0; i < 3; i++ {
		for j := range 4 {
			if (i+j)%2 == 0 {
				continue
			}
			if j == 3 && i == 1 {
				break
			}
			add(fmt.Sprint(i, j), i*j >= 0 || a > b)
		}
	}
	return out
}

func main() {
	var root *node
	for i := range 2000 {
		root = root.insert(i * 7919 % 1009)
	}
	n, names := 0, 0
	root.walk(func(n1 *node) { n += n1.value; names += len(n1.name) })
	fmt.Println(n, names)

	var none *node
	var list []int
	var m map[string]int
	var s shape
	zero := len(os.Args) - len(os.Args)
	try("nil", func() { fmt.Println(none.value) })
	try("index", func() { fmt.Println(list[zero]) })
	try("slice", func() { fmt.Println("abc"[3+zero : 2]) })
	try("divide", func() { fmt.Println(1 / zero) })
	try("map", func() { m["a"] = 1 })
	try("assertion", func() { fmt.Println(any("x").(int)) })
	try("interface", func() { fmt.Println(s.area()) })
	try("wrapper", func() { var p *square; fmt.Println(shape(p).area()) })
	try("convert", func() { fmt.Println([4]int(list)) })
	try("shift", func() { fmt.Println(1 << (zero - 1)) })
	try("own", func() { panic(fmt.Errorf("wrapped: %w", os.ErrNotExist)) })
	try("nested", func() {
		defer func() { panic(fmt.Sprint("again: ", recover())) }()
		panic("first")
	})
	try("none", func() {})

	nan := float64(zero) / float64(zero)
	fmt.Println(conditions(1, 2, 1, 2, 9), conditions(2, 1, nan, 2, 3), conditions(2, 2, nan, nan, 255))

	value := 42
	fmt.Println(deep(5000, &value))

	var wg sync.WaitGroup
	var mu sync.Mutex
	total := map[string]int{}
	results := make(chan string)
	for i := range 50 {
		wg.Go(func() {
			local := make([]string, 0, 10)
			for j := range 200 {
				local = append(local, strings.Repeat(string(rune('a'+i%26)), j%17))
				if j%50 == 0 {
					runtime.Gosched()
				}
			}
			sort.Strings(local)
			mu.Lock()
			total[local[len(local)-1]] += deep(200, &i)
			mu.Unlock()
			results <- local[100]
		})
	}
	go func() { wg.Wait(); close(results) }()
	count := 0
	for r := range results {
		count += len(r)
		runtime.GC()
	}
	fmt.Println(count, total)
	_, err := os.Open("/nowhere/to/be/found")
	fmt.Println(err)
}
