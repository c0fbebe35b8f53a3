package status

import "context"

// ReadChanges is what Run does four times a second.
func (s *Service) ReadChanges(ctx context.Context) error { return s.readChanges(ctx) }
