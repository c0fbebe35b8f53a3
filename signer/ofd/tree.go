package ofd

// readDocument walks Document.xml (GB/T 33190, 7.5).
func (p *Package) readDocument(b *Body) {
	doc := p.parse(b.Root, "")
	if doc == nil {
		return
	}
	p.one(b.Root, doc, "CommonData", "Pages", "Annotations", "Attachments", "CustomTags", "Extensions")
	common := doc.find("CommonData")
	box := a4
	if area := common.find("PageArea"); area != nil {
		p.one(b.Root, common, "PageArea")
		p.one(b.Root, area, "PhysicalBox")
		if v, ok := ParseBox(area.value("PhysicalBox")); ok {
			box = v
		}
	}
	if common != nil {
		for _, k := range common.kids {
			switch k.name {
			case "PublicRes", "DocumentRes":
				p.readResource(b.Root, p.place(b.Root, k))
			case "TemplatePage":
				if abs, first := p.follow(b.Root, k.get("BaseLoc"), RoleTemplate); first {
					p.readPage(abs, box)
				}
			}
		}
	}
	if pages := doc.find("Pages"); pages != nil {
		for _, k := range pages.kids {
			pg := Page{ID: k.get("ID"), Box: box}
			if abs, first := p.follow(b.Root, k.get("BaseLoc"), RolePage); abs != "" {
				if first {
					p.boxes[abs] = p.readPage(abs, box)
				}
				pg.Path, pg.Box = abs, p.boxes[abs]
			}
			b.Pages = append(b.Pages, pg)
		}
	}
	p.readList(b.Root, doc.find("Annotations"), RoleAnnotation, "FileLoc")
	p.readList(b.Root, doc.find("Attachments"), RoleAttachment, "FileLoc")
	p.readList(b.Root, doc.find("CustomTags"), RoleTag, "FileLoc", "SchemaLoc")
	p.readList(b.Root, doc.find("Extensions"), RoleExtension, "ExtendData")
}

// readPage returns the physical box of a page and follows its resources.
func (p *Package) readPage(abs string, box Box) Box {
	pg := p.parse(abs, "Content")
	if pg == nil {
		return box
	}
	p.one(abs, pg, "Area", "Content")
	for _, k := range pg.kids {
		switch k.name {
		case "PageRes":
			p.readResource(abs, p.place(abs, k))
		case "Area":
			p.one(abs, k, "PhysicalBox")
			if v, ok := ParseBox(k.value("PhysicalBox")); ok {
				box = v
			}
		}
	}
	return box
}

// readResource follows fonts, colour profiles and media of a resource file;
// their places are relative to its BaseLoc (GB/T 33190).
func (p *Package) readResource(base, ref string) {
	abs, first := p.follow(base, ref, RoleResource)
	if !first {
		return
	}
	res := p.parse(abs, "")
	if res == nil {
		return
	}
	for _, group := range res.kids {
		for _, k := range group.kids {
			p.one(abs, k, "FontFile", "MediaFile")
			for _, loc := range []string{p.place(abs, k.find("FontFile")), p.place(abs, k.find("MediaFile")), k.get("Profile")} {
				p.followMedia(abs, res.get("BaseLoc"), loc)
			}
		}
	}
}

// followMedia follows a place that counts from the BaseLoc of its resource file;
// readers that do not know BaseLoc would show what stands without it.
func (p *Package) followMedia(abs, baseLoc, loc string) {
	ref := MediaRef(baseLoc, loc)
	got, _ := p.follow(abs, ref, RoleMedia)
	if ref == loc || got == "" {
		return
	}
	for _, other := range p.shadows(abs, loc, got) {
		p.reach.add(other, RoleShadow, abs)
	}
}

// readList follows a file that lists others: annotations, attachments, tags,
// extensions.
func (p *Package) readList(base string, from *node, role Role, elements ...string) {
	abs, first := p.follow(base, p.place(base, from), role)
	if !first {
		return
	}
	list := p.parse(abs, "")
	if list == nil {
		return
	}
	for _, item := range list.kids {
		for _, k := range item.kids {
			for _, name := range elements {
				if k.name == name {
					p.follow(abs, p.place(abs, k), role)
				}
			}
		}
	}
}

// readVersion follows one kept version: its own document and files (GB/T 33190,
// 19). A reader may show it instead of the one that OFD.xml names.
func (p *Package) readVersion(loc string) {
	abs, first := p.follow("/OFD.xml", loc, RoleVersion)
	if !first {
		return
	}
	v := p.parse(abs, "")
	if v == nil {
		return
	}
	p.one(abs, v, "DocRoot", "FileList")
	if root, first := p.follow(abs, p.place(abs, v.find("DocRoot")), RoleVersion); first {
		if _, first = p.follow(abs, root, RoleDocument); first {
			p.readDocument(&Body{Root: root})
		}
	}
	if list := v.find("FileList"); list != nil {
		for _, k := range list.kids {
			p.follow(abs, p.place(abs, k), RoleVersion)
		}
	}
}
