package handler

import (
	"testing"

	"procore-connect/internal/testing/kit/functiontest"
)

func TestMissingConfiguration(t *testing.T) {
	functiontest.Requires(t, New, "AWS_REGION", "PROCORE_ENVIRONMENT", "GRANTS_TABLE", "CONNECTIONS_TABLE", "SPENDS_TABLE", "APP_SECRET_ID", "KEYS_SECRET_ID", "RESCUE_QUEUE_URL")
}
