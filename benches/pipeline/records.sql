-- The records of one institution, one a line: every field of a version 2 record that the database holds in clear.
COPY (
    SELECT xmlelement(name "Card", xmlattributes(row_number() OVER () AS "recordNumber"),
        xmlforest(r.record_uid AS "RecordUid", 'CARD' AS "RecordType", r.event AS "ProductionEvent",
            CASE r.event WHEN 'NCRD' THEN 'NEW_CARD' WHEN 'RALLRE' THEN 'NEW_CARD' WHEN 'RPLRE' THEN 'REISSUE_CARD'
                WHEN 'RPL' THEN 'RENEW_CARD' ELSE 'REPLACE_CARD' END AS "ProductionReason",
            false AS "Reproduction", c.card_id AS "CardId", p.plastic_id AS "PlasticId",
            c.customer_id AS "CustomerId", c.account_id AS "AccountId",
            kv.data ->> 'customerNumber' AS "CustomerNumber", cv.data ->> 'role' AS "CardRole",
            cv.data ->> 'productCode' AS "ProductCode", cv.data ->> 'scheme' AS "Scheme",
            c.bin || '******' || c.last4 AS "PanMasked", lpad(p.sequence_number::text, 2, '0') AS "SequenceNumber",
            overlay(p.expiry::text PLACING '-' FROM 5 FOR 0) AS "Expiry"),
        xmlelement(name "Embossing", xmlforest(e ->> 'firstName' AS "FirstName", e ->> 'lastName' AS "LastName",
            (e ->> 'firstName') || ' ' || (e ->> 'lastName') AS "NameLine", e ->> 'companyName' AS "CompanyName",
            'EMBOSSED_DEFAULT' AS "CharacterSet")),
        xmlforest(e ->> 'externalLayoutCode' AS "ExternalLayoutCode", cv.data ->> 'segment' AS "Segment"),
        xmlelement(name "AdditionalValues", (
            SELECT xmlagg(xmlelement(name "AdditionalValue",
                xmlforest(pair ->> 'key' AS "Key", pair ->> 'value' AS "Value")))
            FROM json_array_elements(cv.data -> 'additionalValues') AS pair)),
        xmlelement(name "CardDelivery", xmlforest(coalesce(cv.data ->> 'cardDeliveryType', 'MAIL') AS "Type"),
            xmlelement(name "Recipient", xmlforest(n ->> 'salutation' AS "Salutation", n ->> 'firstName' AS "FirstName",
                n ->> 'lastName' AS "LastName")),
            xmlelement(name "Address", xmlforest(a ->> 'address1' AS "Address1", a ->> 'address2' AS "Address2",
                a ->> 'city' AS "City", a ->> 'zipCode' AS "ZipCode", a ->> 'country' AS "Country",
                a ->> 'region' AS "Region")),
            xmlforest(kv.data ->> 'mobileNumber' AS "Phone")),
        xmlforest(kv.data ->> 'locale' AS "Locale"),
        CASE WHEN r.event <> 'RPLRE' THEN
            xmlelement(name "PinMailer", xmlforest(coalesce(cv.data ->> 'pinDeliveryType', 'MAIL') AS "DeliveryType"),
                xmlelement(name "Recipient", xmlforest(n ->> 'salutation' AS "Salutation",
                    n ->> 'firstName' AS "FirstName", n ->> 'lastName' AS "LastName")),
                xmlelement(name "Address", xmlforest(h ->> 'address1' AS "Address1", h ->> 'address2' AS "Address2",
                    h ->> 'city' AS "City", h ->> 'zipCode' AS "ZipCode", h ->> 'country' AS "Country",
                    h ->> 'region' AS "Region")))
        END)
    FROM production_request AS r
    JOIN plastic AS p USING (institution, plastic_id)
    JOIN card AS c ON c.institution = r.institution AND c.card_id = r.card_id
    JOIN card_version AS cv ON cv.institution = c.institution AND cv.card_id = c.card_id AND cv.version = c.version
    JOIN customer AS k ON k.institution = c.institution AND k.customer_id = c.customer_id
    JOIN customer_version AS kv
      ON kv.institution = k.institution AND kv.customer_id = k.customer_id AND kv.version = k.version
    JOIN account AS ac ON ac.institution = c.institution AND ac.account_id = c.account_id
    JOIN account_version AS av
      ON av.institution = ac.institution AND av.account_id = ac.account_id AND av.version = ac.version
    CROSS JOIN LATERAL (
        SELECT cv.data -> 'embossing' AS e, kv.data -> 'name' AS n,
            coalesce(nullif(cv.data -> 'cardAddress', 'null'), nullif(av.data -> 'address', 'null'),
                kv.data -> 'address') AS a,
            coalesce(nullif(cv.data -> 'pinAddress', 'null'), nullif(av.data -> 'address', 'null'),
                kv.data -> 'address') AS h
        ) AS parts
    WHERE r.institution = :'institution' AND r.live = 1 AND r.state = 'OPEN' AND r.marked_at <= :cut_off
) TO STDOUT;
