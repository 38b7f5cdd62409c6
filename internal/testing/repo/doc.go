// Package repo tests what no compiler checks: template.yaml against the code that it deploys, the sample events, the
// documents, the vocabulary, the imports, and what a fork or another module does with this one. It has only tests.
package repo
