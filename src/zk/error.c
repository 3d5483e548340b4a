/* ZooKeeper's codes, as weir's errors and in words. */
#include "zk_client.h"

static const struct {
    int code;
    weir_err err;
    const char *text;
} table[] = {
    {ZOK, WEIR_OK, ""},
    {ZNONODE, WEIR_ENOENT, "there is no such node"},
    {ZNODEEXISTS, WEIR_EEXIST, "the node is there already"},
    {ZNOAUTH, WEIR_EACCES,
     "the node's ACL does not allow it: give the session's credentials, or mend the ACL"},
    {ZBADVERSION, WEIR_ESTATE, "the node has changed: its version is another one"},
    {ZNOTEMPTY, WEIR_ESTATE, "the node has children"},
    {ZNOCHILDRENFOREPHEMERALS, WEIR_ESTATE, "an ephemeral node cannot have children"},
    {ZINVALIDACL, WEIR_EINVAL, "ZooKeeper does not take the ACL: the session has no credentials"},
    {ZBADARGUMENTS, WEIR_EINVAL, "ZooKeeper does not take the path or the data"},
    {ZMARSHALLINGERROR, WEIR_ENOMEM, "out of memory"},
    {ZSYSTEMERROR, WEIR_EIO, "the operating system gives no socket"},
    {ZUNIMPLEMENTED, WEIR_ENOTSUP, "this ZooKeeper does not know the operation"},
    {ZTHROTTLEDOP, WEIR_EAGAIN, "ZooKeeper has too much to do"},
    {ZNOTREADONLY, WEIR_EIO, "the server has lost its quorum and can only be read"},
    {ZSESSIONMOVED, WEIR_EIO, "the session has moved to another server"},
    {ZCONNECTIONLOSS, WEIR_EIO,
     "the connection to ZooKeeper was lost: it may have been done or not"},
    {ZRUNTIMEINCONSISTENCY, WEIR_EIO,
     "the connection to ZooKeeper was lost: it may have been done or not"},
    {ZOPERATIONTIMEOUT, WEIR_EIO,
     "ZooKeeper has not answered in time: it may have been done or not"},
    {ZSESSIONEXPIRED, WEIR_ECLOSED, "the session has ended"},
    {ZINVALIDSTATE, WEIR_ECLOSED, "the session has ended"},
    {ZCLOSING, WEIR_ECLOSED, "the session is closed"},
    {ZAUTHFAILED, WEIR_EACCES, "ZooKeeper has refused the credentials"},
};

static size_t find(int code)
{
    size_t i = 0;
    while (i < sizeof table / sizeof *table && table[i].code != code)
        i++;
    return i;
}

weir_err weir__zk_err(int code)
{
    size_t i = find(code);
    return i < sizeof table / sizeof *table ? table[i].err : WEIR_EIO;
}

const char *weir__zk_err_text(int code)
{
    size_t i = find(code);
    return i < sizeof table / sizeof *table ? table[i].text : zerror(code);
}
