/**
 * The ceph.conf of one monitor and one OSD in memory, for Ceph 16 and later.
 *
 * @param folder where everything goes; absolute
 * @param monitorPort on 127.0.0.1
 */
export const cephConf = (folder: string, clusterId: string, monitorPort: number): string => `
[global]
fsid = ${clusterId}
mon initial members = a
mon host = [v2:127.0.0.1:${monitorPort}]
public addr = 127.0.0.1
cluster addr = 127.0.0.1
ms bind msgr1 = false

# no keys: nobody but this machine gets here
auth cluster required = none
auth service required = none
auth client required = none
keyring = /dev/null
# without keys there is no secure mode; radosgw would try it for ever, and say nothing
ms cluster mode = crc
ms service mode = crc
ms client mode = crc
ms mon cluster mode = crc
ms mon service mode = crc
ms mon client mode = crc

# what it says goes to whoever started it, and only when it matters
log file =
log to stderr = true
err to stderr = true
mon cluster log to file = false
debug mon = 0
debug paxos = 0
debug osd = 0
debug rgw = 0
debug rocksdb = 0
admin socket =
run dir = ${folder}
crash dir = ${folder}

# one of everything is enough
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 1
osd pool default pgp num = 1
osd pool default pg autoscale mode = off
osd crush chooseleaf type = 0
mon allow pool size one = true

[mon]
mon data = ${folder}/mon
# of the disk, percent: it refuses to run on one that is 95 % full
mon data avail crit = 1
# seconds to wait for more changes before one is agreed upon: alone, there is nobody to wait for
paxos propose interval = 0.01
paxos min wait = 0.01

[osd]
osd data = ${folder}/osd
osd objectstore = memstore
# seconds until a killed gateway is forgotten: whoever makes a bucket waits for all gateways to hear of it
osd client watch timeout = 1
# what it says it has; it takes what it needs
memstore device bytes = ${64 * 1024 ** 3}

[client]
# seconds until somebody who came before the OSD was up asks again
objecter tick interval = 0.1
rgw data = ${folder}/rgw
`;
