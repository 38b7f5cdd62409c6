package handler

import (
	"testing"

	"procore-connect/internal/testing/kit/functiontest"
)

func TestMissingConfiguration(t *testing.T) {
	functiontest.Requires(t, New, "AWS_REGION", "PROCORE_ENVIRONMENT", "PUBLIC_URL", "KEYS_SECRET_ID", "APP_SECRET_ID", "WEBHOOK_SECRET_ID", "GRANTS_TABLE", "CONNECTIONS_TABLE", "SPENDS_TABLE", "RESCUE_QUEUE_URL", "INBOX_TABLE")
}
