# The fixture of the OpenID AuthZEN certification scenario, as an agency would write
# it. What a question says of an entity counts before what data says.
package yinxin.app

default allow := false

known if {
	data.domain.subjects[input.subject.type][input.subject.id]
	data.domain.resources[input.resource.type][input.resource.id]
}

role := input.subject.properties.role if input.subject.properties.role
else := data.domain.subjects[input.subject.type][input.subject.id].role

status := input.resource.properties.status if input.resource.properties.status
else := data.domain.resources[input.resource.type][input.resource.id].status

allow if {
	known
	input.action.name == "read"
}

allow if {
	known
	input.action.name == "write"
	status == "archived"
	role == "admin"
}

allow if {
	known
	input.action.name == "write"
	status == "active"
	input.subject.id == "alice"
}

allow if {
	known
	input.action.name == "delete"
	input.subject.id == "alice"
	input.action.properties.soft == true
}

reasons contains "unknown" if not known

reasons contains "archived" if {
	status == "archived"
	not role == "admin"
}
