# 授权：人员使用信息内容，除在任岗位外，每一来源都须有本单位主管领导签审、在有效期内的授权。
# 系统以登记、定级和协议为准，不在此列。
package yinxin.core

# by_person: 有可接触内容岗位的人员（系统没有岗位）。没有这种岗位的，授权也无从谈起（E03）。
# Each rule names the type again, first: the engine then passes it over for systems.
by_person if {
	uses_content
	may_see_content
}

# fits: [第几个来源, 第几项授权]，授权的内容与本次使用相符
fits contains [i, k] if {
	some i, src in input.sources
	some k, g in input.grants
	input.action in g.actions
	input.purpose in g.purposes
	src.level <= g.level
	covers(g, src)
	on_system(g)
}

covers(g, _) if count(g.resources | g.providers) == 0

covers(g, src) if src.resource in g.resources

covers(g, src) if src.provider in g.providers

on_system(g) if count(g.systems) == 0

on_system(g) if input.target.id in g.systems

# effective: 第几项授权，已签审、未停用、在有效期内，且岗位仍在任
effective contains k if {
	some k, g in input.grants
	g.signed
	not g.suspended
	g.begun
	not g.expired
	in_post(g)
}

in_post(g) if {
	g.unit == input.subject.agency
	g.role in input.subject.roles
}

# ungranted: 没有有效授权的来源
ungranted contains i if {
	by_person
	some i, _ in input.sources
	not granted(i)
}

granted(i) if {
	some k in effective
	[i, k] in fits
}

# lacking: 与未获授权的来源相符、但不生效的授权，逐一说明为什么
lacking contains g if {
	some i in ungranted
	some [j, k] in fits
	j == i
	g := input.grants[k]
}

# METADATA
# title: 人员使用信息须有与其内容、操作、用途、级别和系统相符的授权
# custom: {clause: X11-24a, code: E30_grant.none}
deny contains {"code": "E30_grant.none", "detail": input.sources[i].id} if {
	input.subject.type == "person"
	some i in ungranted
	count([k | some [j, k] in fits; j == i]) == 0
}

# METADATA
# title: 未经本单位主管领导签审的授权不生效
# custom: {clause: X11-24b, code: E30_grant.unsigned}
deny contains {"code": "E30_grant.unsigned", "detail": g.id} if {
	input.subject.type == "person"
	some g in lacking
	g.signed == false
}

# METADATA
# title: 停用的授权不生效
# custom: {clause: X11-24b, code: E30_grant.suspended}
deny contains {"code": "E30_grant.suspended", "detail": g.id} if {
	input.subject.type == "person"
	some g in lacking
	g.suspended == true
}

# METADATA
# title: 授权只在有效期内生效（未到起始时间）
# custom: {clause: X11-24a, code: E30_grant.period}
deny contains {"code": "E30_grant.period", "detail": g.id} if {
	input.subject.type == "person"
	some g in lacking
	g.begun == false
}

# METADATA
# title: 授权只在有效期内生效（已到期）
# custom: {clause: X11-24a, code: E30_grant.period}
deny contains {"code": "E30_grant.period", "detail": g.id} if {
	input.subject.type == "person"
	some g in lacking
	g.expired == true
}

# METADATA
# title: 授权随岗位生效，离开该单位或者岗位即失效
# custom: {clause: X11-24a, code: E30_grant.post}
deny contains {"code": "E30_grant.post", "detail": g.id} if {
	input.subject.type == "person"
	some g in lacking
	not in_post(g)
}

# METADATA
# title: 系统、安全、审计管理员不得接触信息内容，无论兼任何种岗位
# custom: {clause: X11-24a, code: E03_clearance}
deny contains {"code": "E03_clearance", "detail": input.subject.id} if {
	input.subject.type == "person"
	by_person
	some role in input.subject.roles
	role in {"system_admin", "security_officer", "auditor"}
}
