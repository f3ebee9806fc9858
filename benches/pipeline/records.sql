-- The records of one institution, one a line: every field of a version 2 record that the database holds in clear.
-- json_to_record takes each JSON column apart once.
COPY (
    SELECT xmlelement(name "Card", xmlattributes(row_number() OVER () AS "recordNumber"),
        xmlforest(r.record_uid AS "RecordUid", 'CARD' AS "RecordType", r.event AS "ProductionEvent",
            CASE r.event WHEN 'NCRD' THEN 'NEW_CARD' WHEN 'RALLRE' THEN 'NEW_CARD' WHEN 'RPLRE' THEN 'REISSUE_CARD'
                WHEN 'RPL' THEN 'RENEW_CARD' ELSE 'REPLACE_CARD' END AS "ProductionReason",
            false AS "Reproduction", c.card_id AS "CardId", p.plastic_id AS "PlasticId",
            c.customer_id AS "CustomerId", c.account_id AS "AccountId", customer."customerNumber" AS "CustomerNumber",
            card.role AS "CardRole", card."productCode" AS "ProductCode", card.scheme AS "Scheme",
            c.bin || '******' || c.last4 AS "PanMasked", lpad(p.sequence_number::text, 2, '0') AS "SequenceNumber",
            overlay(p.expiry::text PLACING '-' FROM 5 FOR 0) AS "Expiry"),
        xmlelement(name "Embossing", xmlforest(lines."firstName" AS "FirstName", lines."lastName" AS "LastName",
            lines."firstName" || ' ' || lines."lastName" AS "NameLine", lines."companyName" AS "CompanyName",
            'EMBOSSED_DEFAULT' AS "CharacterSet")),
        xmlforest(lines."externalLayoutCode" AS "ExternalLayoutCode", card.segment AS "Segment"),
        xmlelement(name "AdditionalValues", (
            SELECT xmlagg(xmlelement(name "AdditionalValue", xmlforest(pair.key AS "Key", pair.value AS "Value")))
            FROM json_to_recordset(card."additionalValues") AS pair (key text, value text))),
        xmlelement(name "CardDelivery", xmlforest(coalesce(card."cardDeliveryType", 'MAIL') AS "Type"),
            xmlelement(name "Recipient", xmlforest(person.salutation AS "Salutation",
                person."firstName" AS "FirstName", person."lastName" AS "LastName")),
            xmlelement(name "Address", xmlforest(home.address1 AS "Address1", home.address2 AS "Address2",
                home.city AS "City", home."zipCode" AS "ZipCode", home.country AS "Country", home.region AS "Region")),
            xmlforest(customer."mobileNumber" AS "Phone")),
        xmlforest(customer.locale AS "Locale"),
        CASE WHEN r.event <> 'RPLRE' THEN
            xmlelement(name "PinMailer", xmlforest(coalesce(card."pinDeliveryType", 'MAIL') AS "DeliveryType"),
                xmlelement(name "Recipient", xmlforest(person.salutation AS "Salutation",
                    person."firstName" AS "FirstName", person."lastName" AS "LastName")),
                xmlelement(name "Address", xmlforest(letter.address1 AS "Address1", letter.address2 AS "Address2",
                    letter.city AS "City", letter."zipCode" AS "ZipCode", letter.country AS "Country",
                    letter.region AS "Region")))
        END)
    FROM production_request AS r
    JOIN plastic AS p ON p.institution = r.institution AND p.plastic_id = r.plastic_id
    JOIN card AS c ON c.institution = r.institution AND c.card_id = r.card_id
    JOIN card_version AS cv ON cv.institution = c.institution AND cv.card_id = c.card_id AND cv.version = c.version
    JOIN customer AS k ON k.institution = c.institution AND k.customer_id = c.customer_id
    JOIN customer_version AS kv
      ON kv.institution = k.institution AND kv.customer_id = k.customer_id AND kv.version = k.version
    JOIN account AS ac ON ac.institution = c.institution AND ac.account_id = c.account_id
    JOIN account_version AS av
      ON av.institution = ac.institution AND av.account_id = ac.account_id AND av.version = ac.version
    CROSS JOIN LATERAL json_to_record(cv.data::json) AS card (role text, "productCode" text, scheme text,
        embossing json, segment text, "additionalValues" json, "cardAddress" json, "pinAddress" json,
        "cardDeliveryType" text, "pinDeliveryType" text)
    CROSS JOIN LATERAL json_to_record(card.embossing) AS lines ("firstName" text, "lastName" text, "companyName" text,
        "externalLayoutCode" text)
    CROSS JOIN LATERAL json_to_record(kv.data::json) AS customer ("customerNumber" text, locale text, name json,
        address json, "mobileNumber" text)
    CROSS JOIN LATERAL json_to_record(customer.name) AS person (salutation text, "firstName" text, "lastName" text)
    CROSS JOIN LATERAL json_to_record(av.data::json) AS account (address json)
    CROSS JOIN LATERAL json_to_record(coalesce(card."cardAddress", account.address, customer.address)) AS home (
        address1 text, address2 text, city text, "zipCode" text, country text, region text)
    CROSS JOIN LATERAL json_to_record(coalesce(card."pinAddress", account.address, customer.address)) AS letter (
        address1 text, address2 text, city text, "zipCode" text, country text, region text)
    WHERE r.institution = :'institution' AND r.live = 1 AND r.state = 'OPEN' AND r.marked_at <= :cut_off
) TO STDOUT;
