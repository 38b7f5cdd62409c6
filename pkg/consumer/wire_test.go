package consumer

import (
	"testing"

	"procore-connect/internal/testing/kit/functiontest"
)

func TestMissingConfiguration(t *testing.T) {
	functiontest.Requires(t, func() error {
		_, err := fromEnvironment(nil, nil)
		return err
	}, "AWS_REGION", "PROCORE_ENVIRONMENT", "PUBLIC_URL", "KEYS_SECRET_ID", "APP_SECRET_ID", "GRANTS_TABLE", "CONNECTIONS_TABLE", "SPENDS_TABLE", "INBOX_TABLE", "RESCUE_QUEUE_URL")
}

func TestTable(t *testing.T) {
	functiontest.Requires(t, func() error {
		_, _, err := Table("RFIS_TABLE")
		return err
	}, "AWS_REGION", "RFIS_TABLE")
}
