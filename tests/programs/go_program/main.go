// What of Go is not in TinyGo: the garbage collector, goroutines, panics, reflection. Its output is known.
package main

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"sort"
	"strings"
)

func main() {
	words := map[string]int{}
	re := regexp.MustCompile(`[a-z]+`)
	text := strings.Repeat("the quick brown fox jumps over the lazy dog and the cat ", 200)
	for _, w := range re.FindAllString(text, -1) {
		words[w]++
	}
	keys := make([]string, 0, len(words))
	for k := range words {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	out, _ := json.Marshal(words)
	fmt.Printf("%s %x\n", keys[0], sha256.Sum256(out))
	defer func() { fmt.Println("recovered:", recover()); ch := make(chan int); go func() { ch <- len(os.Args) }(); fmt.Println(<-ch) }()
	var p []int
	_ = p[len(os.Args)+5]
}
