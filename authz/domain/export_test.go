package domain

// Running is how many children there are.
func (s *Service) Running() int {
	s.served.mu.Lock()
	defer s.served.mu.Unlock()
	return len(s.served.running)
}
