/* phone_zone.c — see phone_zone.h.
 *
 * The facts: which area codes and countries lie in which zones, by the time zone metadata of libphonenumber 8.12.57
 * (Google, Apache License 2.0; resources/timezones), brought down to countries and, where a country has several zones,
 * to its area codes; of several zones with the same clocks one stands for all, of several others the first and the last
 * to see the sun. North American area codes that are newer were added by hand. Longest prefix wins. */
#include "broker/edge/phone_zone.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

struct group {
    const char *zones, *prefixes;
};

static const struct group groups[] = {
    {"Africa/Abidjan", "220 221 222 223 224 225 226 228 231 232 233 239 245 247 290 354"},
    {"Africa/Cairo", "20"},
    {"Africa/Johannesburg", "249 250 257 258 260 263 264 265 266 267 268 27"},
    {"Africa/Johannesburg,Africa/Lagos", "243"},
    {"Africa/Lagos", "216 227 229 234 235 236 237 240 241 242 244"},
    {"America/Anchorage,Pacific/Honolulu", "1907"},
    {"America/Chicago",
     "1204 1205 1210 1214 1217 1218 1224 1225 1228 1235 1251 1254 1256 1262 1274 1281 1309 1312 1314 1316 "
     "1318 1319 1320 1325 1331 1334 1337 1346 1353 1361 1402 1405 1409 1414 1417 1430 1431 1432 1437 1447 "
     "1464 1469 1471 1474 1479 1501 1504 1507 1512 1515 1531 1534 1539 1557 1563 1572 1573 1580 1584 1601 "
     "1608 1612 1615 1618 1621 1629 1630 1636 1641 1651 1659 1660 1662 1682 1689 1708 1712 1713 1715 1726 "
     "1730 1731 1737 1763 1769 1773 1779 1806 1815 1816 1817 1830 1832 1847 1861 1870 1872 1901 1903 1913 "
     "1918 1920 1924 1931 1936 1938 1940 1945 1952 1956 1972 1975 1979 1985 505"},
    {"America/Chicago,America/Denver", "1308 1605 1620 1701 1785"},
    {"America/Denver", "1303 1307 1368 1385 1403 1406 1435 1505 1575 1587 1719 1720 1780 1801 1825 1915 1970 1983"},
    {"America/Denver,America/Los_Angeles", "1208 1250 1541 1775 1986"},
    {"America/Denver,America/Phoenix", "1480 1520 1602 1928"},
    {"America/Halifax", "1428 1441 1506 1782 1902"},
    {"America/Halifax,America/New_York", "1418"},
    {"America/Havana", "53"},
    {"America/Los_Angeles",
     "1206 1209 1213 1236 1253 1257 1279 1310 1323 1341 1350 1357 1360 1369 1408 1415 1424 1425 1442 1458 "
     "1503 1509 1510 1530 1559 1562 1564 1604 1619 1626 1628 1650 1657 1661 1669 1672 1702 1707 1714 1725 "
     "1738 1747 1760 1778 1805 1818 1820 1831 1837 1840 1858 1909 1916 1925 1949 1951 1971 52616 52646 "
     "52658 52661 52664 52665 52686"},
    {"America/Mexico_City",
     "1306 1639 501 502 503 504 506 521 522 523 524 525 52618 52663 52671 52674 52675 52676 52677 527 528 "
     "529"},
    {"America/Mexico_City,America/Los_Angeles", "52187 52200"},
    {"America/Mexico_City,America/Phoenix", "52649"},
    {"America/Miquelon", "508"},
    {"America/New_York",
     "1201 1202 1203 1207 1212 1215 1216 1220 1223 1226 1227 1229 1231 1234 1239 1240 1242 1248 1249 1252 "
     "1260 1263 1267 1269 1272 1276 1283 1289 1301 1302 1304 1305 1313 1315 1317 1321 1324 1326 1329 1330 "
     "1332 1336 1339 1343 1347 1351 1352 1354 1363 1364 1365 1367 1380 1382 1386 1401 1404 1407 1410 1412 "
     "1413 1416 1419 1434 1436 1438 1440 1443 1445 1448 1450 1463 1468 1470 1472 1475 1478 1484 1502 1508 "
     "1513 1514 1516 1517 1518 1519 1540 1548 1551 1561 1567 1570 1571 1579 1581 1582 1585 1586 1603 1607 "
     "1609 1610 1613 1614 1616 1617 1631 1640 1645 1646 1647 1649 1656 1667 1678 1680 1681 1683 1686 1703 "
     "1704 1705 1706 1716 1717 1718 1724 1727 1728 1732 1734 1740 1742 1743 1753 1754 1757 1762 1765 1770 "
     "1771 1772 1774 1781 1786 1802 1803 1804 1810 1813 1814 1819 1821 1826 1828 1835 1838 1839 1843 1845 "
     "1848 1854 1856 1857 1859 1860 1862 1863 1864 1865 1873 1878 1904 1905 1908 1910 1912 1914 1917 1919 "
     "1929 1930 1934 1937 1941 1942 1943 1947 1948 1954 1959 1973 1978 1980 1984 1989 509 52198 52199 "
     "52983 52984 52987 52998"},
    {"America/New_York,America/Chicago", "1219 1270 1423 1574 1606 1807 1812 1850 1906"},
    {"America/New_York,America/Los_Angeles", "1867 52"},
    {"America/New_York,America/Mexico_City", "52201"},
    {"America/Noronha", "5581"},
    {"America/Noronha,America/Panama", "55"},
    {"America/Nuuk,America/Halifax", "299"},
    {"America/Panama", "1345 1658 1876 507 51 5568 57"},
    {"America/Panama,America/Mexico_City", "593"},
    {"America/Phoenix",
     "1623 52131 52132 52138 52163 52167 52169 52311 52319 52323 52324 52325 52327 52389 52612 52613 "
     "52614 52615 5262 5263 5264 52651 52652 52653 52656 52657 52659 52662 52667 52668 52669 52672 52673 "
     "52687 5269"},
    {"America/Phoenix,America/Los_Angeles", "52161 52162 52164 52165 52166 52168"},
    {"America/Puerto_Rico",
     "1246 1264 1268 1284 1340 1473 1664 1721 1758 1767 1784 1787 1809 1829 1849 1868 1869 1939 297 5565 "
     "5566 559 58 590 591 592 596 599"},
    {"America/Santiago", "561 562 564 565 566 567 568 569"},
    {"America/Santiago,Pacific/Easter", "56"},
    {"America/Sao_Paulo",
     "500 54 551 552 553 554 5550 5551 5553 5554 5561 5562 5563 5564 557 558 5590 5591 5592 5593 5594 "
     "5596 5598 5599 594 595 597 598"},
    {"America/Sao_Paulo,America/Puerto_Rico", "5555 5567 5569"},
    {"America/St_Johns,America/Puerto_Rico", "1709 1879"},
    {"America/St_Johns,Pacific/Honolulu", "1"},
    {"Asia/Anadyr", "7427"},
    {"Asia/Anadyr,Europe/Moscow", "7"},
    {"Asia/Beirut", "961"},
    {"Asia/Bishkek", "996"},
    {"Asia/Dhaka", "880"},
    {"Asia/Dubai", "230 248 374 7341 7842 7846 7848 7851 968 971 994 995"},
    {"Asia/Dubai,Europe/Moscow", "262"},
    {"Asia/Jakarta",
     "622 6231 6232 6233 6234 6235 6256 626 627 628 66 7382 7383 7384 7385 7388 7390 7391 7394 84 855 856"},
    {"Asia/Jerusalem", "972"},
    {"Asia/Kabul", "93"},
    {"Asia/Kamchatka", "7415"},
    {"Asia/Karachi", "733 734 735 77 92 960 992 993 998"},
    {"Asia/Karachi,Europe/Moscow", "7800 7808 7809 7810"},
    {"Asia/Kathmandu", "977"},
    {"Asia/Kolkata", "91 94"},
    {"Asia/Magadan", "7413"},
    {"Asia/Omsk", "7381"},
    {"Asia/Sakhalin", "7424"},
    {"Asia/Shanghai", "60 6236 6238 624 6254 6255 63 65 673 7301 7395 852 853 86 886"},
    {"Asia/Shanghai,Asia/Jakarta", "6200 621 6237 6245 6251 6252 6253 6280 6281 6282 6283 6285 6286 6287 6288 976"},
    {"Asia/Tehran", "98"},
    {"Asia/Thimphu", "975"},
    {"Asia/Tokyo", "6290 6298 670 680 7302 7411 7416 81 82 850"},
    {"Asia/Tokyo,Asia/Jakarta", "62"},
    {"Asia/Tokyo,Asia/Shanghai", "6240"},
    {"Asia/Yangon", "95"},
    {"Atlantic/Cape_Verde", "238"},
    {"Australia/Adelaide,Asia/Shanghai", "6186 6187 6188"},
    {"Australia/Adelaide,Asia/Yangon", "6189"},
    {"Australia/Brisbane", "1670 1671 6172 6173 675 7421 7423 7426"},
    {"Australia/Lord_Howe", "6125 6126"},
    {"Australia/Lord_Howe,Asia/Yangon", "61"},
    {"Australia/Sydney", "611 612 613 614 617"},
    {"Australia/Sydney,Asia/Yangon", "6185"},
    {"Europe/Athens", "218 30 357 358 359 370 371 372 373 380 40 740 970"},
    {"Europe/London", "212 298 353 44"},
    {"Europe/London,Atlantic/Azores", "351"},
    {"Europe/Moscow",
     "211 251 252 253 254 255 256 261 269 291 375 736 747 748 749 7803 7804 781 782 783 7841 7843 7844 "
     "7845 7847 7855 786 787 79 90 962 963 964 965 966 967 973 974"},
    {"Europe/Moscow,Europe/Athens", "7840"},
    {"Europe/Paris",
     "213 31 32 33 345 346 347 350 352 355 356 36 376 377 378 381 382 383 385 386 387 389 39 41 420 421 "
     "423 43 45 46 47 48 49"},
    {"Europe/Paris,Europe/London", "34"},
    {"Indian/Chagos", "246"},
    {"Pacific/Apia", "685"},
    {"Pacific/Auckland", "641 642 644 645 646 647 648 649"},
    {"Pacific/Chatham,Pacific/Auckland", "64"},
    {"Pacific/Efate", "678"},
    {"Pacific/Fakaofo", "690"},
    {"Pacific/Fiji", "679 681 688 692"},
    {"Pacific/Gambier,Pacific/Honolulu", "689"},
    {"Pacific/Guadalcanal", "677"},
    {"Pacific/Guadalcanal,Australia/Brisbane", "691"},
    {"Pacific/Honolulu", "1808 682"},
    {"Pacific/Kiritimati,Pacific/Tarawa", "686"},
    {"Pacific/Nauru", "674"},
    {"Pacific/Niue", "683"},
    {"Pacific/Norfolk", "672"},
    {"Pacific/Noumea", "687"},
    {"Pacific/Pago_Pago", "1684"},
    {"Pacific/Tongatapu", "676"},
};

#define PREFIXES_MAX 1024
#define DIGITS_MAX   5

static struct prefix {
    uint32_t digits;
    const char *zones;
} prefixes[PREFIXES_MAX];
static size_t prefix_count;

static int by_digits(const void *a, const void *b)
{
    uint32_t left = ((const struct prefix *)a)->digits, right = ((const struct prefix *)b)->digits;
    return left < right ? -1 : left > right;
}

static void sort_prefixes(void)
{
    for (size_t g = 0; g < sizeof groups / sizeof *groups; g++) {
        char *next = NULL;
        for (const char *at = groups[g].prefixes; prefix_count < PREFIXES_MAX; at = next) {
            unsigned long digits = strtoul(at, &next, 10);
            if (next == at)
                break;
            prefixes[prefix_count++] = (struct prefix){(uint32_t)digits, groups[g].zones};
        }
    }
    qsort(prefixes, prefix_count, sizeof *prefixes, by_digits);
}

const char *phone_zone(const char *handle)
{
    uint32_t digits[DIGITS_MAX + 1] = {0};
    size_t length = 0;
    if (handle[0] != '+')
        return NULL;
    if (prefix_count == 0)
        sort_prefixes();
    for (; length < DIGITS_MAX && handle[1 + length] >= '0' && handle[1 + length] <= '9'; length++)
        digits[length + 1] = digits[length] * 10 + (uint32_t)(handle[1 + length] - '0');
    for (; length > 0; length--) {
        const struct prefix wanted = {.digits = digits[length]};
        const struct prefix *found = bsearch(&wanted, prefixes, prefix_count, sizeof *prefixes, by_digits);
        if (found != NULL)
            return found->zones;
    }
    return NULL;
}
