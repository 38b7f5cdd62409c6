package main

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// settings are what template.yaml deploys the functions with.
type settings struct {
	env       map[string]string // variables of the Go runtime, such as GOMAXPROCS
	memory    map[string]int    // MB, by function
	allMemory int               // of the functions without their own
}

// megabytes returns a function's memory.
func (s settings) megabytes(function string) int { return cmp.Or(s.memory[function], s.allMemory) }

// template is the part of template.yaml that decides them. A reference is read as the name of what it refers to.
type template struct {
	Parameters map[string]parameter `yaml:"Parameters"`
	Globals    struct {
		Function struct {
			MemorySize  string `yaml:"MemorySize"`
			Environment struct {
				Variables map[string]yaml.Node `yaml:"Variables"`
			} `yaml:"Environment"`
		} `yaml:"Function"`
	} `yaml:"Globals"`
	Resources map[string]resource `yaml:"Resources"`
}

type (
	parameter struct {
		Default string `yaml:"Default"`
	}
	resource struct {
		Properties properties `yaml:"Properties"`
	}
	properties struct {
		MemorySize string `yaml:"MemorySize"`
	}
)

func readTemplate(ctx context.Context) (t template, err error) {
	root, err := moduleRoot(ctx)
	if err != nil {
		return t, err
	}
	text, err := os.ReadFile(filepath.Join(root, "template.yaml"))
	if err != nil {
		return t, err
	}
	if err := yaml.Unmarshal(text, &t); err != nil {
		return t, fmt.Errorf("template.yaml: %w", err)
	}
	return t, nil
}

// settings reads those of the functions. A parameter has its default.
func (t template) settings() (s settings, err error) {
	s = settings{env: make(map[string]string), memory: make(map[string]int)}
	for _, name := range []string{"GOMAXPROCS", "GOGC", "GOMEMLIMIT"} {
		if v, ok := t.Globals.Function.Environment.Variables[name]; ok {
			s.env[name] = v.Value
		}
	}
	if s.allMemory, err = t.number(t.Globals.Function.MemorySize); err != nil {
		return s, err
	}
	for _, function := range functions {
		own := t.Resources[t.resourceOf(function)].Properties.MemorySize
		if own == "" {
			continue
		}
		if s.memory[function], err = t.number(own); err != nil {
			return s, err
		}
	}
	return s, nil
}

// number reads a number, or the default of the parameter with this name.
func (t template) number(text string) (int, error) {
	n, err := strconv.Atoi(cmp.Or(t.Parameters[text].Default, text))
	if err != nil {
		return 0, fmt.Errorf("template.yaml: memory: %w", err)
	}
	return n, nil
}

// resourceOf returns a function's name in the template, such as WebhookReceiverFunction, or nothing.
func (t template) resourceOf(function string) string {
	for name := range t.Resources {
		if strings.EqualFold(name, strings.ReplaceAll(function, "-", "")+"Function") {
			return name
		}
	}
	return ""
}

// String describes the settings in a report.
func (s settings) String() string {
	all := []string{fmt.Sprintf("%d MB", s.allMemory)}
	for _, name := range slices.Sorted(maps.Keys(s.env)) {
		all = append(all, name+"="+s.env[name])
	}
	return strings.Join(all, ", ")
}
