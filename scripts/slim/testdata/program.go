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

// first gives what f makes of the first element, or says why it could not.
// Deferred calls look at the frame after a panic, and change its result.
func first(list []*node, f func(*node) int) (n int, err error) {
	var big [40]int // a large frame
	held := &node{name: strings.Repeat("held", 3)}
	defer func() {
		if r := recover(); r != nil {
			runtime.GC()
			value := len(held.name)
			err = fmt.Errorf("%v, holding %d and %d", r, deep(300, &value), big[len(list)])
		}
	}()
	big[len(list)] = 7
	n = f(list[0])
	held.name += "!"
	return n + f(list[len(list)-1]), nil
}

// twice panics in frames that defer nothing, below one that does.
func twice(n int) (out []string) {
	for i := range n {
		func() {
			defer func() {
				runtime.GC()
				out = append(out, fmt.Sprint(recover()))
			}()
			value := i
			_ = fmt.Sprint(over(i, &value))
		}()
	}
	return out
}

func over(i int, p *int) int {
	local := []*int{p, new(int)}
	switch i % 4 {
	case 0:
		return *local[i+2]
	case 1:
		local[1] = nil
		return *local[1]
	case 2:
		return deep(100, local[0]) / (i - i)
	}
	return over(i-1, local[0])
}

// step is resumed in many places and in a loop.
func step(in <-chan int, out chan<- string) {
	defer close(out)
	sum, seen := 0, map[string]int{}
	for v := range in {
		switch {
		case v%15 == 0:
			out <- fmt.Sprint("fizzbuzz ", sum)
		case v%5 == 0:
			out <- "buzz"
		case v%3 == 0:
			out <- "fizz"
		default:
			if seen[fmt.Sprint(v%7)]++; seen[fmt.Sprint(v%7)] > 3 {
				out <- fmt.Sprint(v, " again")
			}
		}
		sum += v
		runtime.Gosched()
	}
	out <- fmt.Sprint(sum, len(seen))
}

// Like functions, which share one body: instances of a generic one, methods of
// embedded fields, equality.
func last[T any](list []T, or func() T) T {
	if len(list) == 0 {
		return or()
	}
	return list[len(list)-1]
}

type (
	named   struct{ name string }
	cat     struct{ named }
	dog     struct{ named }
	pair    struct{ a, b string }
	couple  struct{ c, d string }
	speaker interface{ speak() string }
)

func (n *named) speak() string { return n.name + string(make([]byte, 0, 8)) }

func alike() (out []any) {
	for _, s := range []speaker{&cat{named{"cat"}}, &dog{named{"dog"}}} {
		out = append(out, s.speak(), fmt.Sprintf("%T", s))
	}
	x, y := any(pair{"x", "y"}), any(couple{"x", "y"})
	out = append(out, x == y, x == any(pair{"x", "y"}), y == any(couple{"x", "z"}))
	out = append(out, last([]int32{1, 2}, nil), last([]uint32{3}, nil), last(nil, func() string { runtime.GC(); return "or" }), *last([]*string{new(string)}, nil))
	func() {
		defer func() { out = append(out, fmt.Sprint(recover())) }()
		var d *dog
		speaker(d).speak()
	}()
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

	length := func(n *node) int { return len(n.name) }
	fmt.Println(first([]*node{root, root}, length))
	fmt.Println(first(nil, length))
	fmt.Println(first([]*node{root, nil}, length))
	fmt.Println(first([]*node{root}, func(*node) int { panic(errors.New("own")) }))
	fmt.Println(twice(12))
	numbers, words := make(chan int), make(chan string, 1)
	go step(numbers, words)
	go func() {
		for i := range 60 {
			numbers <- i
			if i%20 == 0 {
				runtime.GC()
			}
		}
		close(numbers)
	}()
	for w := range words {
		fmt.Print(w, " ")
	}
	fmt.Println()
	fmt.Println(alike()...)

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
