// Programs in Go that need no load: `turns KIND`, 20 turns a second. `goroutines`,
// `slices` and `tickers` leak.
package main

import (
	"math/rand"
	"os"
	"time"
)

func block(about int) []byte {
	made := make([]byte, about/2+rand.Intn(about))
	for i := range made {
		made[i] = 1
	}
	return made
}

func main() {
	kind, cache, kept := os.Args[1], map[int][]byte{}, [][]byte{}
	never := make(chan int)
	for turn := 0; ; turn++ {
		scratch := [][]byte{}
		for i := 0; i < 20; i++ {
			scratch = append(scratch, block(20000))
		}
		switch kind {
		case "cache": // full after a minute and a half
			cache[turn] = block(30000)
			delete(cache, turn-1800)
		case "sessions": // each lives for 20 s
			go func(own []byte) { time.Sleep(20 * time.Second); own[0] = 0 }(block(60000))
		case "goroutines": // each waits for an answer that never comes
			go func(own []byte) { own[0] = byte(<-never) }(block(9000))
		case "slices": // a few bytes of a large body keep all of it
			if rand.Intn(20) == 0 {
				kept = append(kept, block(300000)[:16])
			}
		case "tickers": // nobody stops them; visitors come for 12 of 20 s
			if turn%400 < 240 {
				own, ticker := block(20000), time.NewTicker(time.Minute)
				go func() {
					for range ticker.C {
						own[0]++
					}
				}()
			}
		}
		time.Sleep(50 * time.Millisecond)
	}
}
