// Package repo holds tests of what no compiler reads: template.yaml against the code that it deploys, the sample
// events, the links and the configuration table of the documents. It has no code of its own.
package repo
