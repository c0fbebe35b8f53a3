package yinxin.app

test_properties_before_data if {
	role == "clerk" with input as {"subject": {"type": "user", "id": "bob", "properties": {"role": "clerk"}}}
}

test_data_without_properties if {
	role == "admin" with input as {"subject": {"type": "user", "id": "bob", "properties": {}}}
}
