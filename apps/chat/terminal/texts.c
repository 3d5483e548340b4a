#include "texts.h"

#include <string.h>

static const char *const table[TEXTS][TEXT_LANGUAGES] = {
    [TEXT_USAGE] =
        {"usage: weir-chat [options]                          talk\n"
         "       weir-chat [options] subscribe TOPIC...       hear notifications\n"
         "       weir-chat [options] notify TOPIC TITLE BODY  send one\n"
         "       weir-chat [options] history                  show the last messages\n"
         "       weir-chat [options] friends                  list friends and requests\n"
         "       weir-chat [options] counters                 of the node (admins)\n"
         "       weir-chat [options] drain                    stop the node (admins)\n"
         "\n"
         "  --server ADDR      default 127.0.0.1:50051; also dns:///, static:///, zk://\n"
         "  --user NAME        default: the login name\n"
         "  --password TEXT    or in WEIR_CHAT_PASSWORD; else it is asked for\n"
         "  --register         register the account if it is new\n"
         "  --room NAME        talk there; default lobby\n"
         "  --to USER          talk to one user instead\n"
         "  --group ID         talk in a group instead\n"
         "  --recent N         show the last N messages first; at most 200\n"
         "  --lang en|zh       default: by the locale\n"
         "  --state FILE       remember there what was shown\n"
         "  --tls              TLS, checked by the system's authorities\n"
         "  --ca FILE          TLS, checked by these\n"
         "  --help, --version\n"
         "\n"
         "Each line of input is a message; /help lists commands. The end of the input\n"
         "leaves when everything said has been stored.\n",
         "用法:weir-chat [选项]                          聊天\n"
         "      weir-chat [选项] subscribe 主题...        接收通知\n"
         "      weir-chat [选项] notify 主题 标题 正文    发送通知\n"
         "      weir-chat [选项] history                  显示最近的消息\n"
         "      weir-chat [选项] friends                  列出好友和请求\n"
         "      weir-chat [选项] counters                 节点的计数器(管理员)\n"
         "      weir-chat [选项] drain                    停止节点(管理员)\n"
         "\n"
         "  --server 地址      默认 127.0.0.1:50051;也可用 dns:///、static:///、zk://\n"
         "  --user 名字        默认:登录名\n"
         "  --password 密码    或用环境变量 WEIR_CHAT_PASSWORD;否则会询问\n"
         "  --register         账号不存在时注册\n"
         "  --room 名字        在此房间聊天;默认 lobby\n"
         "  --to 用户          与一个用户聊天\n"
         "  --group 编号       在群里聊天\n"
         "  --recent N         先显示最近 N 条消息,最多 200\n"
         "  --lang en|zh       默认:按区域设置\n"
         "  --state 文件       记住显示到哪里\n"
         "  --tls              使用 TLS,由系统的证书机构验证\n"
         "  --ca 文件          使用 TLS,由文件中的证书机构验证\n"
         "  --help, --version\n"
         "\n"
         "每行输入是一条消息;/help 列出命令。输入结束后,等所有消息存好再退出。\n"},
    [TEXT_HELP] = {"/join ROOM  /leave  /to USER  /group TITLE NAME...  /switch [NAME]\n"
                   "/who  /history [N]  /friends  /friend NAME  /accept NAME  /block NAME\n"
                   "/status  /help  /quit",
                   "/join 房间  /leave  /to 用户  /group 标题 名字...  /switch [名字]\n"
                   "/who  /history [N]  /friends  /friend 名字  /accept 名字  /block 名字\n"
                   "/status  /help  /quit"},
    [TEXT_SEE_HELP] = {"weir-chat: %s (see --help)\n", "weir-chat:%s(见 --help)\n"},
    [TEXT_BAD_NUMBER] = {"--recent takes a number from 0 to 200, --group one above 0",
                         "--recent 需要 0 到 200 的数,--group 需要大于 0 的数"},
    [TEXT_BAD_OPTION] = {"unknown option", "未知选项"},
    [TEXT_BAD_COMMAND] = {"no such command, or not these arguments", "没有这个命令,或参数不对"},
    [TEXT_MISSING_VALUE] = {"an option lacks its value, or has one that is not allowed",
                            "选项缺少值,或值不允许"},
    [TEXT_PASSWORD] = {"password of %s: ", "%s 的密码:"},
    [TEXT_NO_PASSWORD] = {"a password is needed: --password or WEIR_CHAT_PASSWORD",
                          "需要密码:--password 或 WEIR_CHAT_PASSWORD"},
    [TEXT_WELCOME] = {"* welcome to %s", "* 欢迎来到 %s"},
    [TEXT_TALKING_TO] = {"* talking to %s", "* 正在与 %s 聊天"},
    [TEXT_CONNECTED] = {"* connected again (%s)", "* 已重新连接(%s)"},
    [TEXT_WAITING] = {"* not connected: %s; trying again", "* 未连接:%s;正在重试"},
    [TEXT_ENDED] = {"weir-chat: %s: %s\n", "weir-chat:%s:%s\n"},
    [TEXT_GAVE_UP] = {"weir-chat: no connection to %s: %s\n", "weir-chat:连接不到 %s:%s\n"},
    [TEXT_REGISTER] = {"weir-chat: if %s is a new name, add --register\n",
                       "weir-chat:如果 %s 是新名字,请加 --register\n"},
    [TEXT_MOVING] = {"* the server node stops; moving to another one",
                     "* 服务器节点正在停止;转到另一个节点"},
    [TEXT_NOT_SENT] = {"* not sent: %s", "* 未发送:%s"},
    [TEXT_QUEUE_FULL] = {"* not sent: too many messages wait for the server",
                         "* 未发送:等待服务器的消息太多"},
    [TEXT_FAILED] = {"* %s: %s", "* %s:%s"},
    [TEXT_NO_TARGET] = {"* say where first: /join ROOM or /to USER",
                        "* 请先选择:/join 房间 或 /to 用户"},
    [TEXT_NO_CONVERSATION] = {"* no such conversation: %s", "* 没有这个会话:%s"},
    [TEXT_UNKNOWN_COMMAND] = {"* unknown command %s; /help lists them", "* 未知命令 %s;见 /help"},
    [TEXT_NEEDS_ARGUMENT] = {"* %s needs more words; see /help", "* %s 需要更多参数;见 /help"},
    [TEXT_JOINED_GROUP] = {"* in group %s (%s)", "* 在群 %s 中(%s)"},
    [TEXT_LEFT] = {"* no longer in %s", "* 已离开 %s"},
    [TEXT_PRESENCE_ONLINE] = {"* %s is online", "* %s 上线了"},
    [TEXT_PRESENCE_AWAY] = {"* %s is away", "* %s 离开了座位"},
    [TEXT_PRESENCE_OFFLINE] = {"* %s is offline", "* %s 下线了"},
    [TEXT_ASKS] = {"* %s asks to be friends (/accept)", "* %s 请求加为好友(/accept)"},
    [TEXT_ASKED] = {"* %s has been asked to be friends", "* 已请求 %s 加为好友"},
    [TEXT_FRIEND] = {"* %s is a friend", "* %s 是好友"},
    [TEXT_BLOCKED] = {"* %s is blocked", "* %s 已被屏蔽"},
    [TEXT_STRANGER] = {"* %s is no friend", "* %s 不是好友"},
    [TEXT_NO_FRIENDS] = {"* no friends yet; /friend NAME", "* 还没有好友;/friend 名字"},
    [TEXT_MEMBERS] = {"* here: %s", "* 成员:%s"},
    [TEXT_MORE] = {"* ... and more", "* ……还有更多"},
    [TEXT_CONVERSATIONS] = {"* conversations: %s", "* 会话:%s"},
    [TEXT_HISTORY_OF] = {"* the last %d messages", "* 最近 %d 条消息"},
    [TEXT_STATUS] = {"* node %s, %d waiting, %d shown, %d reconnects, %d duplicates removed",
                     "* 节点 %s,%d 条等待,%d 条已显示,%d 次重连,%d 条重复已去除"},
    [TEXT_NOTIFIED] = {"sent, number %d of the topic\n", "已发送,该主题第 %d 条\n"},
    [TEXT_DRAINING] = {"the node stops\n", "节点正在停止\n"},
    [TEXT_STATE_FILE] = {"weir-chat: %s: %s\n", "weir-chat:%s:%s\n"},
    [TEXT_TYPE_WELCOME] = {"welcome", "欢迎"},
    [TEXT_TYPE_SYSTEM] = {"system", "系统"},
    [TEXT_TYPE_INFO] = {"info", "信息"},
    [TEXT_TYPE_WARNING] = {"warning", "警告"},
    [TEXT_TYPE_ALERT] = {"alert", "警报"},
};

static text_language current;

text_language text_language_of(const char *lc_all, const char *lc_messages, const char *lang)
{
    const char *const names[] = {lc_all, lc_messages, lang};
    for (size_t i = 0; i < 3; i++) {
        if (names[i] && *names[i])
            return strncmp(names[i], "zh", 2) == 0 ? TEXT_CHINESE : TEXT_ENGLISH;
    }
    return TEXT_ENGLISH;
}

int text_language_named(const char *name)
{
    if (strcmp(name, "en") == 0)
        return TEXT_ENGLISH;
    return strcmp(name, "zh") == 0 ? TEXT_CHINESE : -1;
}

void text_set_language(text_language language)
{
    current = language;
}

const char *text_in(text_language language, text_id id)
{
    return table[id][language];
}

const char *text(text_id id)
{
    return text_in(current, id);
}
