package wire

import "time"

// PathDomains is where a system keeps its application domains.
const PathDomains = "/api/v1/domains"

// DomainVersion is one version of an application domain on its way.
type DomainVersion struct {
	ID            string    `json:"id"`
	Domain        string    `json:"domain"`
	Name          string    `json:"name"`
	Digest        string    `json:"digest_sm3" doc:"of the canonical bundle: what the leader of the unit signs"`
	System        string    `json:"system"`
	ResourceTypes []string  `json:"resource_types"`
	Passed        int       `json:"passed" doc:"tests and cases that ran before it was recorded"`
	State         string    `json:"state" enum:"proposed,in_force,refused,withdrawn,replaced"`
	Restores      string    `json:"restores,omitempty" doc:"the earlier version that it brings back"`
	Reason        string    `json:"reason,omitempty" doc:"why it was withdrawn"`
	AskedAt       time.Time `json:"asked_at"`
	SettledAt     time.Time `json:"settled_at,omitzero"`
	EndedAt       time.Time `json:"ended_at,omitzero"`
}
