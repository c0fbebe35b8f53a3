# 留存信息到期未销毁、违规被暂停：不再提供。
package yinxin.core

# METADATA
# title: 留存信息到期，须先销毁并报送凭据，方可继续使用该资源
# custom: {clause: X14-23b, code: E27_overdue_copy}
deny contains {"code": "E27_overdue_copy", "detail": st.copy} if {
	some st in input.standings
	st.overdue
	uses_content
}

# METADATA
# title: 违规使用、泄露或擅自扩大使用范围的，整改前暂停使用
# custom: {clause: BJ17-33, code: E28_suspended}
deny contains {"code": "E28_suspended", "detail": st.violation} if {
	some st in input.standings
	st.violation != ""
	uses_content
}
