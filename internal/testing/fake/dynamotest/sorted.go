package dynamotest

import (
	"iter"
	"slices"
	"sort"
)

// A sorted list has its elements in chunks, so that an insertion moves those of one chunk only. Every position is that
// of the first element for which before is false; before must be true for the elements in front of it and no others.
type sorted[T any] struct {
	chunks [][]T // none is empty
}

const chunkLength = 256

func (s *sorted[T]) search(before func(T) bool) (chunk, n int) {
	chunk = sort.Search(len(s.chunks), func(c int) bool { return !before(s.chunks[c][len(s.chunks[c])-1]) })
	if chunk == len(s.chunks) {
		return chunk, 0
	}
	all := s.chunks[chunk]
	return chunk, sort.Search(len(all), func(n int) bool { return !before(all[n]) })
}

// at returns the element at the position.
func (s *sorted[T]) at(before func(T) bool) (x T, ok bool) {
	chunk, n := s.search(before)
	if chunk == len(s.chunks) {
		return x, false
	}
	return s.chunks[chunk][n], true
}

// set replaces the element at the position.
func (s *sorted[T]) set(before func(T) bool, x T) {
	chunk, n := s.search(before)
	s.chunks[chunk][n] = x
}

// insert inserts an element at the position.
func (s *sorted[T]) insert(before func(T) bool, x T) {
	chunk, n := s.search(before)
	switch {
	case len(s.chunks) == 0:
		s.chunks = [][]T{{x}}
		return
	case chunk == len(s.chunks):
		chunk--
		n = len(s.chunks[chunk])
	}
	all := slices.Insert(s.chunks[chunk], n, x)
	s.chunks[chunk] = all
	if len(all) > chunkLength {
		half := len(all) / 2
		s.chunks[chunk] = all[:half:half]
		s.chunks = slices.Insert(s.chunks, chunk+1, slices.Clone(all[half:]))
	}
}

// delete deletes the element at the position.
func (s *sorted[T]) delete(before func(T) bool) {
	chunk, n := s.search(before)
	s.chunks[chunk] = slices.Delete(s.chunks[chunk], n, n+1)
	if len(s.chunks[chunk]) == 0 {
		s.chunks = slices.Delete(s.chunks, chunk, chunk+1)
	}
}

// all returns the elements in order.
func (s *sorted[T]) all() iter.Seq[T] { return s.from(func(T) bool { return false }) }

// from returns the elements from the position on.
func (s *sorted[T]) from(before func(T) bool) iter.Seq[T] {
	return func(yield func(T) bool) {
		for chunk, n := s.search(before); chunk < len(s.chunks); chunk, n = chunk+1, 0 {
			for _, x := range s.chunks[chunk][n:] {
				if !yield(x) {
					return
				}
			}
		}
	}
}

// backward returns the elements in front of the position, the last one first.
func (s *sorted[T]) backward(before func(T) bool) iter.Seq[T] {
	return func(yield func(T) bool) {
		chunk, n := s.search(before)
		for ; chunk >= 0; chunk-- {
			if chunk < len(s.chunks) {
				for _, x := range slices.Backward(s.chunks[chunk][:n]) {
					if !yield(x) {
						return
					}
				}
			}
			if chunk > 0 {
				n = len(s.chunks[chunk-1])
			}
		}
	}
}
