# 目录、主体与系统：不在册的一律不认。
package yinxin.core

# METADATA
# title: 目录是提供与使用的标准依据，目录外的资源不予使用
# custom: {clause: X14-14, code: E01_unknown_resource}
deny contains {"code": "E01_unknown_resource", "detail": src.id} if {
	some src in input.sources
	src.known == false
}

# METADATA
# title: 须写明资源
# custom: {clause: X14-14, code: E01_unknown_resource}
deny contains {"code": "E01_unknown_resource", "detail": ""} if {
	input.sources == []
	input.action != "regrade"
}

# METADATA
# title: 未登记的主体没有权限
# custom: {clause: X11-24b, code: E20_unknown_subject}
deny contains {"code": "E20_unknown_subject", "detail": input.subject.id} if {
	input.subject.known == false
}

# METADATA
# title: 人员须有可以接触信息内容的在任岗位
# custom: {clause: X11-24a, code: E03_clearance}
deny contains {"code": "E03_clearance", "detail": input.subject.id} if {
	input.subject.type == "person"
	input.subject.known == true
	uses_content
	not may_see_content
}

may_see_content if {
	not input.subject.left
	some role in input.subject.roles
	role in {"clerk", "unit_leader", "records_officer"}
}

# METADATA
# title: 接收系统须已登记
# custom: {clause: X14-30, code: E21_unknown_system}
deny contains {"code": "E21_unknown_system", "detail": input.target.id} if {
	input.target.known == false
	input.target.id != ""
}

# METADATA
# title: 须写明信息落到哪个系统；没有自己系统的人员和单位须写明所用系统
# custom: {clause: X14-30, code: E21_unknown_system}
deny contains {"code": "E21_unknown_system", "detail": ""} if {
	input.target.id == ""
	must_name_system
}

must_name_system if input.action in {"copy", "derive", "merge", "forward", "store", "regrade"}

must_name_system if {
	input.action in {"read", "relabel"}
	input.subject.known
	input.subject.system == ""
}

# METADATA
# title: 传输系统须已登记
# custom: {clause: X14-30, code: E21_unknown_system}
deny contains {"code": "E21_unknown_system", "detail": hop.id} if {
	some hop in input.carriers
	hop.known == false
}

# 变更等级不在以下各条之内：那正是补救的办法。

# METADATA
# title: 未定级的系统不得使用、接收或者传输（使用系统）
# custom: {clause: X11-23, code: E22_ungraded}
deny contains {"code": "E22_ungraded", "detail": input.subject.system} if {
	input.subject.type == "system"
	input.subject.graded == false
	input.action != "regrade"
}

# METADATA
# title: 未定级的系统不得使用、接收或者传输（接收系统）
# custom: {clause: X11-23, code: E22_ungraded}
deny contains {"code": "E22_ungraded", "detail": input.target.id} if {
	input.target.known == true
	input.target.graded == false
	input.action != "regrade"
}

# METADATA
# title: 未定级的系统不得使用、接收或者传输（传输系统）
# custom: {clause: X11-23, code: E22_ungraded}
deny contains {"code": "E22_ungraded", "detail": hop.id} if {
	some hop in input.carriers
	hop.graded == false
	hop.known == true
	input.action != "regrade"
}

# METADATA
# title: 备案过期的系统不得使用、接收或者传输（使用系统）
# custom: {clause: X11-23, code: E23_grading_expired}
deny contains {"code": "E23_grading_expired", "detail": input.subject.system} if {
	input.subject.expired == true
	input.action != "regrade"
}

# METADATA
# title: 备案过期的系统不得使用、接收或者传输（接收系统）
# custom: {clause: X11-23, code: E23_grading_expired}
deny contains {"code": "E23_grading_expired", "detail": input.target.id} if {
	input.target.expired == true
	input.action != "regrade"
}

# METADATA
# title: 备案过期的系统不得使用、接收或者传输（传输系统）
# custom: {clause: X11-23, code: E23_grading_expired}
deny contains {"code": "E23_grading_expired", "detail": hop.id} if {
	some hop in input.carriers
	hop.expired == true
	input.action != "regrade"
}

# METADATA
# title: 目录须有保密审查记录方可提供给其他单位
# custom: {clause: X14-16, code: E07_secrecy_review}
deny contains {"code": "E07_secrecy_review", "detail": src.resource} if {
	some src in input.sources
	src.reviewed == false
	src.user != ""
}

# METADATA
# title: 信息项以目录所列为准
# custom: {clause: X14-14, code: E08_unknown_field}
deny contains {"code": "E08_unknown_field", "detail": field} if {
	some field in input.fields
	not catalogued(field)
}

catalogued(field) if input.sources[_].items[field]

# METADATA
# title: 留存信息只由保管单位使用，其他单位应向提供方申请
# custom: {clause: X14-23b, code: E19_not_holder}
deny contains {"code": "E19_not_holder", "detail": src.id} if {
	input.subject.known == true
	some src in input.sources
	src.holder != ""
	src.holder != input.subject.agency
	uses_content
}

# METADATA
# title: 目录中的标识由提供方负责，使用方只能变更自己留存信息的标识
# custom: {clause: X14-23b, code: E19_not_holder}
deny contains {"code": "E19_not_holder", "detail": src.id} if {
	input.action == "relabel"
	input.subject.known == true
	some src in input.sources
	src.known == true
	src.holder == ""
	src.provider != input.subject.agency
}

# METADATA
# title: 已销毁或者超过留存期限的信息不得再使用
# custom: {clause: X14-23b, code: E24_holding_ended}
deny contains {"code": "E24_holding_ended", "detail": src.id} if {
	some src in input.sources
	src.ended == true
	uses_content
}
