package seal

import "fmt"

// parseSeal reads an SESeal. Two elements are V1, four or five are V4 or V5;
// between those the header's version decides.
func parseSeal(el tlv) (*Seal, error) {
	var r reader
	top, err := el.sequence("SESeal", 2)
	if err != nil {
		return nil, err
	}
	info, err := top[0].sequence("SES_SealInfo", 4)
	if err != nil {
		return nil, err
	}
	s := &Seal{Raw: el.full}
	if err := s.readInfo(&r, info); err != nil {
		return nil, err
	}
	var maker, stamp []tlv // cert, algorithm, value
	switch len(top) {
	case 2:
		s.Layout = LayoutV1
		if maker, err = top[1].sequence("SES_SignInfo", 3); err != nil {
			return nil, err
		}
		// The maker signs SEQUENCE{SealInfo, cert, algorithm} (GM/T 0031-2014, 6.1.1).
		s.signed = wrap(idSequence, top[0].full, maker[0].full, maker[1].full)
	case 4, 5:
		s.Layout = LayoutV4
		if s.Version == 5 {
			s.Layout = LayoutV5
		}
		maker, stamp = top[1:4], top[4:]
		s.signed = top[0].full
	default:
		return nil, fmt.Errorf("%w: SESeal has %d elements", ErrFormat, len(top))
	}
	if s.Layout == LayoutV4 && s.Version != 4 || s.Layout == LayoutV1 && s.Version >= 4 && s.Version != 11 {
		r.warn(WarnVersion)
	}
	if s.MakerCertDER, err = octets(maker[0], "maker cert"); err != nil {
		return nil, err
	}
	if s.Algorithm, err = maker[1].oid("signAlgID"); err != nil {
		return nil, err
	}
	if s.Value, err = r.value(maker[2], "signedValue"); err != nil {
		return nil, err
	}
	if len(stamp) == 1 {
		if s.TimeStamp, err = r.timestamp(stamp[0]); err != nil {
			return nil, err
		}
	}
	r.checkCertificate(s.MakerCertDER)
	if err := r.checkDER(s.signed); err != nil {
		return nil, err
	}
	s.Warnings = r.warnings
	return s, nil
}

// readInfo reads { header, esID, property, picture, extDatas OPTIONAL }.
// extDatas is met untagged, as the files have it, and tagged [0]: it is signed
// but nothing in it is read.
func (s *Seal) readInfo(r *reader, info []tlv) error {
	header, err := info[0].sequence("SES_Header", 3)
	if err != nil {
		return err
	}
	id, err := r.text(header[0], "header.ID")
	if err != nil {
		return err
	}
	if id != "ES" {
		return fmt.Errorf("%w: header.ID is not \"ES\"", ErrFormat)
	}
	if s.Version, err = header[1].integer("header.version"); err != nil {
		return err
	}
	if s.Vendor, err = r.text(header[2], "header.Vid"); err != nil {
		return err
	}
	if s.ID, err = r.text(info[1], "esID"); err != nil {
		return err
	}
	if err := s.readProperty(r, info[2]); err != nil {
		return err
	}
	if err := s.readPicture(r, info[3]); err != nil {
		return err
	}
	if len(info) > 5 || len(info) == 5 && info[4].id != idSequence && info[4].id != idContext0 {
		r.warn(WarnExtra)
	}
	return nil
}

// readProperty reads SES_ESPropertyInfo; V1 has no certListType.
func (s *Seal) readProperty(r *reader, el tlv) error {
	p, err := el.sequence("SES_ESPropertyInfo", 6)
	if err != nil {
		return err
	}
	if s.Type, err = p[0].integer("property.type"); err != nil {
		return err
	}
	if s.Name, err = r.text(p[1], "property.name"); err != nil {
		return err
	}
	s.CertListType, p = 1, p[2:]
	dates := byte(idUTCTime)
	if p[0].id == idInteger {
		if s.CertListType, err = p[0].integer("property.certListType"); err != nil {
			return err
		}
		p, dates = p[1:], idGenTime
	}
	if len(p) < 4 {
		return fmt.Errorf("%w: SES_ESPropertyInfo lacks elements", ErrFormat)
	}
	if err := s.readCertList(p[0]); err != nil {
		return err
	}
	if s.Created, err = r.time(p[1], dates, "createDate"); err != nil {
		return err
	}
	if s.ValidFrom, err = r.time(p[2], dates, "validStart"); err != nil {
		return err
	}
	s.ValidUntil, err = r.time(p[3], dates, "validEnd")
	return err
}

// readCertList reads certificates (type 1) or digests (type 2).
func (s *Seal) readCertList(el tlv) error {
	list, err := el.sequence("certList", 0)
	if err != nil {
		return err
	}
	for _, c := range list {
		switch s.CertListType {
		case 1:
			der, err := octets(c, "certList entry")
			if err != nil {
				return err
			}
			s.Certs = append(s.Certs, der)
		case 2:
			pair, err := c.sequence("certList entry", 2)
			if err != nil {
				return err
			}
			sum, err := octets(pair[1], "certList digest")
			if err != nil {
				return err
			}
			s.CertDigests = append(s.CertDigests, sum)
		default:
			return fmt.Errorf("%w: certListType %d", ErrFormat, s.CertListType)
		}
	}
	return nil
}

// readPicture reads SES_ESPictrueInfo (the standard's spelling).
func (s *Seal) readPicture(r *reader, el tlv) error {
	p, err := el.sequence("SES_ESPictrueInfo", 4)
	if err != nil {
		return err
	}
	if s.Picture.Type, err = r.text(p[0], "picture.type"); err != nil {
		return err
	}
	if s.Picture.Data, err = octets(p[1], "picture.data"); err != nil {
		return err
	}
	if s.Picture.Width, err = p[2].integer("picture.width"); err != nil {
		return err
	}
	s.Picture.Height, err = p[3].integer("picture.height")
	return err
}
