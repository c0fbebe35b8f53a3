# 来源可追溯，时间可信：来源记录循环的、判定时钟落后于事实的，不予使用。
package yinxin.core

# METADATA
# title: 来源须可追溯，来源记录循环的留存信息不得使用
# custom: {clause: X11-31, code: E31_lineage}
deny contains {"code": "E31_lineage", "detail": src.id} if {
	some src in input.sources
	src.circular == true
	uses_content
}

# METADATA
# title: 判定时钟早于所依据事实的登记时间，有效期无从判断
# custom: {clause: X14-29, code: E32_clock}
deny contains {"code": "E32_clock", "detail": ""} if input.behind == true
