// Package docs has what the operator's console quotes of these documents.
package docs

import _ "embed"

// Runbook is RUNBOOK.md.
//
//go:embed RUNBOOK.md
var Runbook string
