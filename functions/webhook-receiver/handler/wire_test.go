package handler

import (
	"testing"

	"procore-connect/internal/testing/kit/functiontest"
)

func TestMissingConfiguration(t *testing.T) {
	functiontest.Requires(t, New, "AWS_REGION", "WEBHOOK_SECRET_ID", "INBOX_TABLE")
}
