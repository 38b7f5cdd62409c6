package awstest

import (
	"context"
	"net/http"
	"slices"
)

type updateSecretVersionStageInput struct{ SecretId, VersionStage, RemoveFromVersionId, MoveToVersionId string }

// updateSecretVersionStage moves a label, or removes it. A label that another version has moves only if
// RemoveFromVersionId names that version: so it is a compare-and-swap. With AWSCURRENT the version that loses it becomes
// AWSPREVIOUS.
//
// https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_UpdateSecretVersionStage.html
func (s *Secrets) updateSecretVersionStage(_ context.Context, _ *http.Request, in updateSecretVersionStageInput) (any, error) {
	defer s.lock()()
	sec, err := s.find(in.SecretId)
	if err != nil {
		return nil, err
	}
	if in.VersionStage == "" || len(in.VersionStage) > 256 {
		return nil, errorf("InvalidParameterException", "VersionStage must be 1-256 characters long.")
	}
	from, to := sec.find("", in.VersionStage), sec.find(in.MoveToVersionId, "")
	switch {
	case in.MoveToVersionId != "" && to == nil:
		return nil, errorf("ResourceNotFoundException", "Secrets Manager can't find the specified secret version.")
	case from != nil && in.RemoveFromVersionId == "":
		return nil, errorf("InvalidParameterException", "The parameter RemoveFromVersionId can't be empty. Staging label %s is currently "+
			"attached to version %s, so you must explicitly reference that version in RemoveFromVersionId.", in.VersionStage, from.id)
	case in.RemoveFromVersionId != "" && (from == nil || from.id != in.RemoveFromVersionId):
		return nil, errorf("InvalidParameterException", "The staging label %s isn't attached to version %s.", in.VersionStage, in.RemoveFromVersionId)
	case in.VersionStage == current && in.MoveToVersionId == "":
		return nil, errorf("InvalidParameterException", "You can only move staging label AWSCURRENT to a different secret version. It can't be completely removed.")
	}
	if in.VersionStage == current && from != to {
		sec.unstage([]string{previous})
		from.stages = append(from.stages, previous)
	}
	sec.unstage([]string{in.VersionStage})
	if in.MoveToVersionId != "" && !slices.Contains(to.stages, in.VersionStage) {
		to.stages = append(to.stages, in.VersionStage)
	}
	s.saveSecret(sec)
	return map[string]any{"ARN": sec.arn, "Name": sec.name}, nil
}
