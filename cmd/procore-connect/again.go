package main

import (
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// again returns the command line that a person types to do the same with other values of some flags.
func again(c *cobra.Command, with map[string]string) string {
	words := strings.Fields(c.CommandPath())
	add := func(name, value string) {
		if value == "true" {
			words = append(words, "--"+name)
		} else {
			words = append(words, "--"+name, value)
		}
	}
	c.Flags().Visit(func(f *pflag.Flag) {
		if _, other := with[f.Name]; other {
			return
		}
		if list, ok := f.Value.(pflag.SliceValue); ok {
			for _, one := range list.GetSlice() {
				add(f.Name, one)
			}
			return
		}
		add(f.Name, f.Value.String())
	})
	for _, name := range slices.Sorted(maps.Keys(with)) {
		if with[name] != "" {
			add(name, with[name])
		}
	}
	for i, w := range words {
		words[i] = shellWord(w)
	}
	return strings.Join(words, " ")
}

// plainWord is what a shell takes as it is. A # begins a comment only at the beginning of a word.
var plainWord = regexp.MustCompile(`^[A-Za-z0-9_./:@%+=,-][A-Za-z0-9_./:@%+=,#-]*$`)

// shellWord quotes a word for a shell.
func shellWord(w string) string {
	if plainWord.MatchString(w) {
		return w
	}
	return "'" + strings.ReplaceAll(w, "'", `'\''`) + "'"
}
