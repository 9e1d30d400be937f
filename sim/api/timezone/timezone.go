// Package timezone knows time zones without the host's database: the simulation must answer alike in
// a browser and natively, and the whole database would weigh more than all
// controllers. Present-day rules are enough for schedules.
package timezone

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Zone is an offset from UTC and the rule for summer time.
type Zone struct {
	offset time.Duration
	summer byte // 'E' Europe, 'A' North America, 'S' south-eastern Australia, 'N' New Zealand, 0 none
}

// zones lists, by offset in minutes and rule, the names of the tz database as of
// 2026. A name without a slash is in the area of the one before it; /NAME is in
// none. The few whose rule is none of these four have the nearest.
var zones = map[string]string{
	"-660":  "Pacific/Midway Niue Pago_Pago Samoa US/Samoa",
	"-600":  "/HST Pacific/Honolulu Johnston Rarotonga Tahiti US/Hawaii",
	"-600A": "America/Adak Atka US/Aleutian",
	"-570":  "Pacific/Marquesas",
	"-540":  "Pacific/Gambier",
	"-540A": "America/Anchorage Juneau Metlakatla Nome Sitka Yakutat US/Alaska",
	"-480":  "Pacific/Pitcairn",
	"-480A": "/PST8PDT America/Ensenada Los_Angeles Santa_Isabel Tijuana Vancouver Canada/Pacific Mexico/BajaNorte US/Pacific",
	"-420":  "/MST America/Creston Dawson Dawson_Creek Fort_Nelson Hermosillo Mazatlan Phoenix Whitehorse Canada/Yukon Mexico/BajaSur US/Arizona",
	"-420A": "/MST7MDT Navajo America/Boise Cambridge_Bay Ciudad_Juarez Denver Edmonton Inuvik Shiprock Yellowknife Canada/Mountain US/Mountain",
	"-360":  "America/Bahia_Banderas Belize Chihuahua Costa_Rica El_Salvador Guatemala Managua Merida Mexico_City Monterrey Regina Swift_Current Tegucigalpa Canada/Saskatchewan Mexico/General Pacific/Galapagos",
	"-360A": "/CST6CDT America/Chicago Knox_IN Matamoros Menominee Ojinaga Rainy_River Rankin_Inlet Resolute Winnipeg America/Indiana/Knox Tell_City America/North_Dakota/Beulah Center New_Salem Canada/Central US/Central Indiana-Starke",
	"-360N": "Chile/EasterIsland Pacific/Easter",
	"-300":  "/EST Jamaica America/Atikokan Bogota Cancun Cayman Coral_Harbour Eirunepe Guayaquil Jamaica Lima Panama Porto_Acre Rio_Branco Brazil/Acre",
	"-300A": "/Cuba EST5EDT America/Detroit Fort_Wayne Grand_Turk Havana Indianapolis Iqaluit Louisville Montreal Nassau New_York Nipigon Pangnirtung Port-au-Prince Thunder_Bay Toronto America/Indiana/Indianapolis Marengo Petersburg Vevay Vincennes Winamac America/Kentucky/Louisville Monticello Canada/Eastern US/East-Indiana Eastern Michigan",
	"-240":  "America/Anguilla Antigua Aruba Barbados Blanc-Sablon Boa_Vista Campo_Grande Caracas Cuiaba Curacao Dominica Grenada Guadeloupe Guyana Kralendijk La_Paz Lower_Princes Manaus Marigot Martinique Montserrat Port_of_Spain Porto_Velho Puerto_Rico Santo_Domingo St_Barthelemy St_Kitts St_Lucia St_Thomas St_Vincent Tortola Virgin Brazil/West",
	"-240A": "America/Glace_Bay Goose_Bay Halifax Moncton Thule Atlantic/Bermuda Canada/Atlantic",
	"-240N": "America/Santiago Chile/Continental",
	"-210A": "America/St_Johns Canada/Newfoundland",
	"-180":  "America/Araguaina Asuncion Bahia Belem Buenos_Aires Catamarca Cayenne Cordoba Coyhaique Fortaleza Jujuy Maceio Mendoza Montevideo Paramaribo Punta_Arenas Recife Rosario Santarem Sao_Paulo America/Argentina/Buenos_Aires Catamarca ComodRivadavia Cordoba Jujuy La_Rioja Mendoza Rio_Gallegos Salta San_Juan San_Luis Tucuman Ushuaia Antarctica/Palmer Rothera Atlantic/Stanley Brazil/East",
	"-180A": "America/Miquelon",
	"-120":  "America/Noronha Atlantic/South_Georgia Brazil/DeNoronha",
	"-120E": "America/Godthab Nuuk Scoresbysund",
	"-60":   "Atlantic/Cape_Verde",
	"-60E":  "Atlantic/Azores",
	"0":     "/GMT GMT+0 GMT-0 GMT0 Greenwich Iceland UCT UTC Universal Zulu Africa/Abidjan Accra Bamako Banjul Bissau Conakry Dakar Freetown Lome Monrovia Nouakchott Ouagadougou Sao_Tome Timbuktu America/Danmarkshavn Antarctica/Troll Atlantic/Reykjavik St_Helena Etc/GMT GMT0 Greenwich UCT UTC Universal Zulu",
	"0E":    "/Eire GB GB-Eire Portugal WET Atlantic/Canary Faeroe Faroe Madeira Europe/Belfast Dublin Guernsey Isle_of_Man Jersey Lisbon London",
	"60":    "Africa/Algiers Bangui Brazzaville Casablanca Douala El_Aaiun Kinshasa Lagos Libreville Luanda Malabo Ndjamena Niamey Porto-Novo Tunis",
	"60E":   "/CET MET Poland Africa/Ceuta Arctic/Longyearbyen Atlantic/Jan_Mayen Europe/Amsterdam Andorra Belgrade Berlin Bratislava Brussels Budapest Busingen Copenhagen Gibraltar Ljubljana Luxembourg Madrid Malta Monaco Oslo Paris Podgorica Prague Rome San_Marino Sarajevo Skopje Stockholm Tirane Vaduz Vatican Vienna Warsaw Zagreb Zurich",
	"120":   "/Libya Africa/Blantyre Bujumbura Gaborone Harare Johannesburg Juba Khartoum Kigali Lubumbashi Lusaka Maputo Maseru Mbabane Tripoli Windhoek Europe/Kaliningrad",
	"120E":  "/EET Egypt Israel Africa/Cairo Asia/Beirut Famagusta Gaza Hebron Jerusalem Nicosia Tel_Aviv Europe/Athens Bucharest Chisinau Helsinki Kiev Kyiv Mariehamn Nicosia Riga Sofia Tallinn Tiraspol Uzhgorod Vilnius Zaporozhye",
	"180":   "/Turkey W-SU Africa/Addis_Ababa Asmara Asmera Dar_es_Salaam Djibouti Kampala Mogadishu Nairobi Antarctica/Syowa Asia/Aden Amman Baghdad Bahrain Damascus Istanbul Kuwait Qatar Riyadh Europe/Istanbul Kirov Minsk Moscow Simferopol Volgograd Indian/Antananarivo Comoro Mayotte",
	"210":   "/Iran Asia/Tehran",
	"240":   "Asia/Baku Dubai Muscat Tbilisi Yerevan Europe/Astrakhan Samara Saratov Ulyanovsk Indian/Mahe Mauritius Reunion",
	"270":   "Asia/Kabul",
	"300":   "Antarctica/Mawson Vostok Asia/Almaty Aqtau Aqtobe Ashgabat Ashkhabad Atyrau Dushanbe Karachi Oral Qostanay Qyzylorda Samarkand Tashkent Yekaterinburg Indian/Kerguelen Maldives",
	"330":   "Asia/Calcutta Colombo Kolkata",
	"345":   "Asia/Kathmandu Katmandu",
	"360":   "Asia/Bishkek Dacca Dhaka Kashgar Omsk Thimbu Thimphu Urumqi Indian/Chagos",
	"390":   "Asia/Rangoon Yangon Indian/Cocos",
	"420":   "Antarctica/Davis Asia/Bangkok Barnaul Ho_Chi_Minh Hovd Jakarta Krasnoyarsk Novokuznetsk Novosibirsk Phnom_Penh Pontianak Saigon Tomsk Vientiane Indian/Christmas",
	"480":   "/Hongkong PRC ROC Singapore Antarctica/Casey Asia/Brunei Choibalsan Chongqing Chungking Harbin Hong_Kong Irkutsk Kuala_Lumpur Kuching Macao Macau Makassar Manila Shanghai Singapore Taipei Ujung_Pandang Ulaanbaatar Ulan_Bator Australia/Perth West",
	"525":   "Australia/Eucla",
	"540":   "/Japan ROK Asia/Chita Dili Jayapura Khandyga Pyongyang Seoul Tokyo Yakutsk Pacific/Palau",
	"570":   "Australia/Darwin North",
	"570S":  "Australia/Adelaide Broken_Hill South Yancowinna",
	"600":   "Antarctica/DumontDUrville Asia/Ust-Nera Vladivostok Australia/Brisbane Lindeman Queensland Pacific/Chuuk Guam Port_Moresby Saipan Truk Yap",
	"600S":  "Antarctica/Macquarie Australia/ACT Canberra Currie Hobart Melbourne NSW Sydney Tasmania Victoria",
	"630":   "Australia/LHI Lord_Howe",
	"660":   "Asia/Magadan Sakhalin Srednekolymsk Pacific/Bougainville Efate Guadalcanal Kosrae Noumea Pohnpei Ponape",
	"660S":  "Pacific/Norfolk",
	"720":   "/Kwajalein Asia/Anadyr Kamchatka Pacific/Fiji Funafuti Kwajalein Majuro Nauru Tarawa Wake Wallis",
	"720N":  "/NZ Antarctica/McMurdo South_Pole Pacific/Auckland",
	"765N":  "/NZ-CHAT Pacific/Chatham",
	"780":   "Pacific/Apia Enderbury Fakaofo Kanton Tongatapu",
	"840":   "Pacific/Kiritimati",
}

// Find returns the zone of that name; "" is UTC.
func Find(name string) (*Zone, error) {
	if name == "" {
		return &Zone{}, nil
	}
	if n, err := strconv.Atoi(strings.TrimPrefix(name, "Etc/GMT")); err == nil && strings.HasPrefix(name, "Etc/GMT") && n >= -14 && n <= 12 {
		return &Zone{offset: -time.Duration(n) * time.Hour}, nil
	}
	var found *Zone
	visit(func(rule, n string) bool {
		if n == name {
			found = &Zone{}
			if last := rule[len(rule)-1]; last > '9' {
				found.summer, rule = last, rule[:len(rule)-1]
			}
			minutes, _ := strconv.Atoi(rule)
			found.offset = time.Duration(minutes) * time.Minute
		}
		return found == nil
	})
	if found != nil {
		return found, nil
	}
	return nil, fmt.Errorf("unknown time zone %s", name)
}

// visit calls fn with the names, in any order, until fn returns false.
func visit(fn func(rule, name string) bool) {
	for rule, names := range zones {
		area := ""
		for n := range strings.FieldsSeq(names) {
			if i := strings.LastIndexByte(n, '/') + 1; i > 0 {
				area, n = strings.TrimPrefix(n[:i], "/"), n[i:]
			}
			if !fn(rule, area+n) {
				return
			}
		}
	}
}

// sunday is the n-th Sunday of a month (the last when n is 0), as a date.
func sunday(year int, month time.Month, n int) time.Time {
	if n == 0 {
		t := time.Date(year, month+1, 0, 0, 0, 0, 0, time.UTC)
		return t.AddDate(0, 0, -int(t.Weekday()))
	}
	t := time.Date(year, month, 1, 0, 0, 0, 0, time.UTC)
	return t.AddDate(0, 0, (7-int(t.Weekday()))%7+7*(n-1))
}

// At is the offset at an instant.
func (z *Zone) At(t time.Time) time.Duration {
	t = t.UTC()
	standard := t.Add(z.offset) // Wall clock of the winter
	y := standard.Year()
	between := func(t, from, to time.Time) bool { return !t.Before(from) && t.Before(to) }
	summer := false
	switch z.summer {
	case 'E': // changes at 01:00 UTC
		summer = between(t, sunday(y, 3, 0).Add(time.Hour), sunday(y, 10, 0).Add(time.Hour))
	case 'A': // 02:00 winter time to 02:00 summer time
		summer = between(standard, sunday(y, 3, 2).Add(2*time.Hour), sunday(y, 11, 1).Add(time.Hour))
	case 'S':
		summer = !between(standard, sunday(y, 4, 1).Add(2*time.Hour), sunday(y, 10, 1).Add(2*time.Hour))
	case 'N':
		summer = !between(standard, sunday(y, 4, 1).Add(2*time.Hour), sunday(y, 9, 0).Add(2*time.Hour))
	}
	if summer {
		return z.offset + time.Hour
	}
	return z.offset
}

// Wall is what a clock in the zone shows, written as UTC.
func (z *Zone) Wall(t time.Time) time.Time { return t.UTC().Add(z.At(t)) }

// Instant undoes Wall; a time that the clocks skip is that much later.
func (z *Zone) Instant(wall time.Time) time.Time {
	t := wall.Add(-z.At(wall.Add(-z.offset)))
	if z.Wall(t).Equal(wall) {
		return t
	}
	return wall.Add(-z.offset)
}

// Stamp formats an instant with the zone's offset.
func (z *Zone) Stamp(t time.Time) string {
	return t.In(time.FixedZone("", int(z.At(t)/time.Second))).Format(time.RFC3339)
}
