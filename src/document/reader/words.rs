//! Two closed lists too long for the tables: the locales of S3, and the characters of additional values (trap T2).

/// Every locale of S3's list, sorted.
#[rustfmt::skip]
pub(super) const LOCALES: [&str; 140] = [
    "af_ZA", "ar_AE", "ar_BH", "ar_DZ", "ar_EG", "ar_IQ", "ar_JO", "ar_KW", "ar_LB", "ar_LY", "ar_MA", "ar_OM",
    "ar_QA", "ar_SA", "ar_SY", "ar_TN", "ar_YE", "az_AZ", "be_BY", "bg_BG", "bn_IN", "bs_BA", "ca_ES", "cs_CZ",
    "cy_GB", "da_DK", "de_AT", "de_CH", "de_DE", "de_LI", "de_NL", "el_GR", "en_AU", "en_BZ", "en_CA", "en_GB",
    "en_IE", "en_JM", "en_MT", "en_NZ", "en_PH", "en_TT", "en_US", "en_VI", "en_ZA", "en_ZW", "es_AR", "es_BO",
    "es_CL", "es_CO", "es_CR", "es_DO", "es_EC", "es_ES", "es_GT", "es_HN", "es_MX", "es_NI", "es_PA", "es_PE",
    "es_PR", "es_PY", "es_SV", "es_UY", "es_VE", "et_EE", "eu_ES", "fa_IR", "fi_FI", "fo_FO", "fr_BE", "fr_CA",
    "fr_CH", "fr_FR", "fr_MC", "fr_NL", "ga_IE", "gl_ES", "gu_IN", "he_IL", "hi_IN", "hr_HR", "hu_HU", "hy_AM",
    "id_ID", "is_IS", "it_CH", "it_IT", "ja_JP", "ka_GE", "kk_KZ", "kl_GL", "kn_IN", "ko_KR", "kok_IN", "lt_LT",
    "lv_LV", "mk_MK", "ml_IN", "mn_MN", "mr_IN", "ms_BN", "ms_MY", "mt_MT", "nb_NO", "nl_BE", "nl_NL", "nn_NO",
    "no_NO", "pa_IN", "pl_PL", "pt_BR", "pt_PT", "ro_RO", "ru_RU", "se_NO", "sk_SK", "sl_SI", "sq_AL", "sr_BA",
    "sr_CS", "sv_FI", "sv_SE", "sw_KE", "syr_SY", "ta_IN", "te_IN", "th_TH", "tn_ZA", "tr_TR", "uk_UA", "uz_UZ",
    "vi_VN", "xh_ZA", "zh_CN", "zh_HK", "zh_MO", "zh_SG", "zh_TW", "zu_ZA",
];

/// The letters an additional value may hold beside ASCII letters, digits and [`VALUE_SYMBOLS`].
const VALUE_LETTERS: &str = "ÀÁÂÃÄÅÆÇÈÉÊËÌÍÎÏÐÑÒÓÔÕÖØÙÚÛÜÝÞßàáâãäåæçèéêëìíîïðñòóôõöøùúû\
     üýþÿĀāĂăĄąĆćĈĉĊċČčĎďĐđĒēĔĕĖėĘęĚěĜĝĞğĠġĢģĤĥĦħĨĩĪīĬĭĮįİıĲĳĴĵ\
     ĶķĸĹĺĻļĽľĿŀŁłŃńŅņŇňŉŊŋŌōŎŏŐőŒœŔŕŖŗŘřŚśŜŝŞşŠšŢţŤťŦŧŨũŪūŬŭŮů\
     ŰűŲųŴŵŶŷŸŹźŻżŽžſǪǫȘșȚțȪȫȮȯȲȳḐḑṢṣẞỌọ";

/// The ASCII characters an additional value may hold beside letters and digits.
const VALUE_SYMBOLS: &str = " '+-._|";

/// Whether an additional value may hold this character.
pub(super) fn is_value_character(character: char) -> bool {
    character.is_ascii_alphanumeric() || VALUE_SYMBOLS.contains(character) || VALUE_LETTERS.contains(character)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn r99_the_value_set_has_278_characters() {
        assert_eq!(('\0'..=char::MAX).filter(|&character| is_value_character(character)).count(), 278);
    }

    #[test]
    fn the_locales_are_sorted_and_distinct() {
        assert!(LOCALES.is_sorted_by(|one, next| one < next));
    }
}
