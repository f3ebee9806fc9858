-- What was sent is active, and is not sent again.
WITH sent AS (
    UPDATE production_request SET state = 'CLOSED', live = 0, reason = 'SENT_BY_SCRIPT'
    WHERE institution = :'institution' AND live = 1 AND state = 'OPEN' AND marked_at <= :cut_off
    RETURNING institution, plastic_id
), moved AS (
    UPDATE plastic AS p SET status = 'ACTIVE', embossing_date = :'date'
    FROM sent WHERE p.institution = sent.institution AND p.plastic_id = sent.plastic_id AND p.status = 'INACTIVE'
    RETURNING 1
)
SELECT count(*) FROM moved;
