"""Windows' names of time zones, which T-SQL uses, as those of the tz database (CLDR's table of
zones for territory 001). Names of the form `X Standard Time` stand here as `X`.
"""

from __future__ import annotations

from typing import Final

_STANDARD: Final = """
Dateline=Etc/GMT+12 Aleutian=America/Adak Hawaiian=Pacific/Honolulu
Marquesas=Pacific/Marquesas Alaskan=America/Anchorage Pacific=America/Los_Angeles
US_Mountain=America/Phoenix Mountain=America/Denver Yukon=America/Whitehorse
Central_America=America/Guatemala Central=America/Chicago Easter_Island=Pacific/Easter
Canada_Central=America/Regina SA_Pacific=America/Bogota Eastern=America/New_York
Haiti=America/Port-au-Prince Cuba=America/Havana US_Eastern=America/Indianapolis
Turks_And_Caicos=America/Grand_Turk Paraguay=America/Asuncion Atlantic=America/Halifax
Venezuela=America/Caracas Central_Brazilian=America/Cuiaba SA_Western=America/La_Paz
Pacific_SA=America/Santiago Newfoundland=America/St_Johns Tocantins=America/Araguaina
E._South_America=America/Sao_Paulo SA_Eastern=America/Cayenne
Argentina=America/Buenos_Aires Greenland=America/Godthab Montevideo=America/Montevideo
Magallanes=America/Punta_Arenas Saint_Pierre=America/Miquelon Bahia=America/Bahia
Azores=Atlantic/Azores Cape_Verde=Atlantic/Cape_Verde GMT=Europe/London
Greenwich=Atlantic/Reykjavik Sao_Tome=Africa/Sao_Tome Morocco=Africa/Casablanca
W._Europe=Europe/Berlin Central_Europe=Europe/Budapest Romance=Europe/Paris
Central_European=Europe/Warsaw W._Central_Africa=Africa/Lagos GTB=Europe/Bucharest
Middle_East=Asia/Beirut Egypt=Africa/Cairo E._Europe=Europe/Chisinau
West_Bank=Asia/Hebron South_Africa=Africa/Johannesburg FLE=Europe/Kiev
Israel=Asia/Jerusalem South_Sudan=Africa/Juba Kaliningrad=Europe/Kaliningrad
Sudan=Africa/Khartoum Libya=Africa/Tripoli Namibia=Africa/Windhoek Jordan=Asia/Amman
Arabic=Asia/Baghdad Syria=Asia/Damascus Turkey=Europe/Istanbul Arab=Asia/Riyadh
Belarus=Europe/Minsk Russian=Europe/Moscow E._Africa=Africa/Nairobi
Volgograd=Europe/Volgograd Iran=Asia/Tehran Arabian=Asia/Dubai Astrakhan=Europe/Astrakhan
Azerbaijan=Asia/Baku Mauritius=Indian/Mauritius Saratov=Europe/Saratov
Georgian=Asia/Tbilisi Caucasus=Asia/Yerevan Afghanistan=Asia/Kabul
West_Asia=Asia/Tashkent Qyzylorda=Asia/Qyzylorda Ekaterinburg=Asia/Yekaterinburg
Pakistan=Asia/Karachi India=Asia/Calcutta Sri_Lanka=Asia/Colombo Nepal=Asia/Katmandu
Central_Asia=Asia/Bishkek Bangladesh=Asia/Dhaka Omsk=Asia/Omsk Myanmar=Asia/Rangoon
SE_Asia=Asia/Bangkok Altai=Asia/Barnaul W._Mongolia=Asia/Hovd
North_Asia=Asia/Krasnoyarsk N._Central_Asia=Asia/Novosibirsk Tomsk=Asia/Tomsk
China=Asia/Shanghai North_Asia_East=Asia/Irkutsk Singapore=Asia/Singapore
W._Australia=Australia/Perth Taipei=Asia/Taipei Ulaanbaatar=Asia/Ulaanbaatar
Aus_Central_W.=Australia/Eucla Transbaikal=Asia/Chita Tokyo=Asia/Tokyo
North_Korea=Asia/Pyongyang Korea=Asia/Seoul Yakutsk=Asia/Yakutsk
Cen._Australia=Australia/Adelaide AUS_Central=Australia/Darwin
E._Australia=Australia/Brisbane AUS_Eastern=Australia/Sydney
West_Pacific=Pacific/Port_Moresby Tasmania=Australia/Hobart Vladivostok=Asia/Vladivostok
Lord_Howe=Australia/Lord_Howe Bougainville=Pacific/Bougainville Magadan=Asia/Magadan
Norfolk=Pacific/Norfolk Sakhalin=Asia/Sakhalin Central_Pacific=Pacific/Guadalcanal
New_Zealand=Pacific/Auckland Fiji=Pacific/Fiji Chatham_Islands=Pacific/Chatham
Tonga=Pacific/Tongatapu Samoa=Pacific/Apia Line_Islands=Pacific/Kiritimati
"""

#: folded Windows name -> tz name
WINDOWS_ZONES: Final = {
    f"{name.replace('_', ' ')} Standard Time".lower(): zone
    for name, zone in (pair.split("=") for pair in _STANDARD.split())
} | {
    "pacific standard time (mexico)": "America/Tijuana",
    "mountain standard time (mexico)": "America/Mazatlan",
    "central standard time (mexico)": "America/Mexico_City",
    "eastern standard time (mexico)": "America/Cancun",
    "russia time zone 3": "Europe/Samara",
    "russia time zone 10": "Asia/Srednekolymsk",
    "russia time zone 11": "Asia/Kamchatka",
    "utc-11": "Etc/GMT+11",
    "utc-09": "Etc/GMT+9",
    "utc-08": "Etc/GMT+8",
    "utc-02": "Etc/GMT+2",
    "utc+12": "Etc/GMT-12",
    "utc+13": "Etc/GMT-13",
}
