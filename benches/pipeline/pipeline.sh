#!/bin/sh
# Embossing files as many issuers make them today: psql writes XML, gpg signs and encrypts it, sftp sends it, and one
# UPDATE says that it is done. Over the tables of emboss, so that both can be timed on the same plastics.
#
# It knows no card secret: no full card number, CVV, track, PIN or PIN block stands in its files. It checks nothing,
# decides nothing, and a crash anywhere leaves it to a person to find out what was sent.
#
# Needs: DATABASE_URL, INSTITUTIONS, CUT_OFF_US, DATE, GNUPGHOME, SIGNER, RECIPIENT, SFTP_PORT, SFTP_USER, SFTP_KEY,
# REMOTE (the folder there), WORK (a folder here).
set -eu
here=$(dirname "$0")

query() {
    psql --no-psqlrc --quiet --tuples-only --no-align --set=ON_ERROR_STOP=1 \
        --set=institution="$1" --set=cut_off="$CUT_OFF_US" --set=date="$DATE" --file="$here/$2" "$DATABASE_URL"
}

document() {
    printf '<?xml version="1.0" encoding="UTF-8"?>\n<EmbossingFile formatVersion="2">\n'
    printf '<Header><Institution>%s</Institution><Date>%s</Date></Header>\n<Cards>\n' "$1" "$DATE"
    query "$1" records.sql
    printf '</Cards>\n</EmbossingFile>\n'
}

for institution in $INSTITUTIONS; do
    name="PIPELINE_${institution}_${DATE}.xml.pgp"
    document "$institution" | gpg --batch --quiet --yes --trust-model=always --local-user="$SIGNER" \
        --recipient="$RECIPIENT" --sign --encrypt --output="$WORK/$name"
    sftp -q -b - -P "$SFTP_PORT" -i "$SFTP_KEY" -o IdentitiesOnly=yes -o StrictHostKeyChecking=no \
        -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR "$SFTP_USER@127.0.0.1" >/dev/null <<END
put "$WORK/$name" "$REMOTE/$name.part"
rename "$REMOTE/$name.part" "$REMOTE/$name"
END
    query "$institution" sent.sql
done
